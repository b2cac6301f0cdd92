// The store as a client of one door sees it: Store on the near side, requests to a live server on
// the far side. What the door's API has no words for answers Unimplemented, and Can of each door
// tells tests beforehand. What only the daemon itself does (reclamation, checkpoints) goes to its
// engine.
#ifndef VARVE_TESTS_CONTRACT_DOORS_DOOR_STORE_H_
#define VARVE_TESTS_CONTRACT_DOORS_DOOR_STORE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/contract/store_contract_fixture.h"
#include "tests/support/unplayed_store.h"

namespace varve {

class DoorStore : public UnplayedStore {
 public:
  // `engine` is the store behind the door and must outlive it.
  explicit DoorStore(const Store& engine) : engine_(engine) {}

  void EndPromises() override { engine_.system.EndPromises(); }
  StoreHealth Health() override { return engine_.system.Health(); }
  EventLog& events() override { return engine_.system.events(); }

  absl::StatusOr<ReclaimReport> Reclaim() override { return engine_.system.Reclaim(); }
  absl::Status CheckpointUploads() override { return engine_.system.CheckpointUploads(); }

 private:
  const Store engine_;
};

// What a client says of a manifest that it pushed, when the answer tells no more than the digest.
// A payload that names the missing digest (kMissingDigestPayload), when `text` holds one.
absl::Status WithMissingDigest(absl::Status status, std::string_view text);

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_DOORS_DOOR_STORE_H_
