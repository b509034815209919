/* Doubly linked lists: a list is a struct with `first` and `last`, an item one with `next` and `prev`, all of the item's type, so
 * that a walk needs no cast. A zeroed list is empty. Arguments are evaluated repeatedly: an item is a variable, not list->first.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#define LIST_APPEND(list, item)                                                                                                  \
	((item)->next = NULL, (item)->prev = (list)->last,                                                                       \
		*((list)->last != NULL ? &(list)->last->next : &(list)->first) = (item), (list)->last = (item))
#define LIST_REMOVE(list, item)                                                                                                  \
	(*((item)->prev != NULL ? &(item)->prev->next : &(list)->first) = (item)->next,                                          \
		*((item)->next != NULL ? &(item)->next->prev : &(list)->last) = (item)->prev)

#endif
