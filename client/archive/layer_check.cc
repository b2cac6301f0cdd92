#include "client/archive/layer_check.h"

namespace varve {

LayerCheck::LayerCheck(const InflateLimits& limits)
    : thread_([this, limits] {
        answer_ = DigestInflatedTar([this] { return queue_.Take(); }, limits);
        queue_.Abandon();
      }) {}

LayerCheck::~LayerCheck() {
  queue_.Abandon();
  if (thread_.joinable()) thread_.join();
}

absl::Status LayerCheck::Push(std::string_view bytes) {
  return queue_.Push(bytes) ? absl::OkStatus() : Finish().status();
}

absl::StatusOr<InflatedDigest> LayerCheck::Finish() {
  queue_.End(absl::OkStatus());
  if (thread_.joinable()) thread_.join();
  return *answer_;
}

}  // namespace varve
