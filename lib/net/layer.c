/* Where a layer finds what it keeps for the run (layer.h). */
#include "net/layer.h"

void *layer_shared(const struct env *env, layer_push *push)
{
	for (size_t i = 0; i < STACK_ROWS && env->stack != NULL; i++)
		if (env->stack->shared[i].push == push)
			return env->stack->shared[i].mem;
	return NULL;
}
