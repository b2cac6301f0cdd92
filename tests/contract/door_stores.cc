// The suites through the doors of a daemon.
#include "tests/contract/doors/live_doors.h"

namespace varve {

std::vector<StoreFactory> AllStores() { return {GrpcDoorStore(), HttpDoorStore()}; }

std::vector<StoreFactory> ModelStores() { return AllStores(); }

std::vector<StoreFactory> ConcurrentStores() { return AllStores(); }

}  // namespace varve
