// Index in memory: the twin that tests and fast checks run the same logic on. Optimistic: a
// transaction that another one overtook conflicts at commit. Nothing survives the object.
#ifndef VARVE_STORAGE_INDEX_MEMORY_INDEX_H_
#define VARVE_STORAGE_INDEX_MEMORY_INDEX_H_

#include <memory>

#include "storage/index/index.h"

namespace varve {

std::unique_ptr<Index> NewMemoryIndex();

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_MEMORY_INDEX_H_
