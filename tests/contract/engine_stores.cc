// The suites over the engine itself.
#include "tests/contract/store_contract_fixture.h"

namespace varve {

std::vector<StoreFactory> AllStores() { return {DiskStore(), MemoryStore(), FlakyStore()}; }

std::vector<StoreFactory> ModelStores() {
  return {DiskStore(), MemoryStore(), FlakyStore(), PowerStore()};
}

std::vector<StoreFactory> ConcurrentStores() { return {DiskStore(), MemoryStore()}; }

}  // namespace varve
