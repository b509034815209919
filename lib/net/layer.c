/* How a layer finds its data of the run (layer.h). */
#include "net/layer.h"

void *layer_shared(const struct run *run, layer_push *push)
{
	for (size_t i = 0; i < LAYERS_MOST && run->layers != NULL; i++)
		if (run->layers->shared[i].push == push)
			return run->layers->shared[i].mem;
	return NULL;
}
