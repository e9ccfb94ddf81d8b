// new and delete of the program by mimalloc. Not in sanitizer builds: there the sanitizer's own see
// every allocation.
#include <mimalloc-new-delete.h>
