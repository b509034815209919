/* replay NAME FILE...: a fuzzer on what its corpus holds, for builds that libFuzzer is no part of (coverage, other compilers). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void replay(const char *path)
{
	static uint8_t bytes[1 << 20];
	FILE *f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		exit(1);
	}
	size_t n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	LLVMFuzzerTestOneInput(bytes, n);
}

int main(int argc, char **argv)
{
	char **words = argv + 1; /* the fuzzer's name is where a program's would be */
	int left = argc - 1;
	if (left < 1)
		return 2;
	LLVMFuzzerInitialize(&left, &words);
	for (int i = 1; i < left; i++)
		replay(words[i]);
	return 0;
}
