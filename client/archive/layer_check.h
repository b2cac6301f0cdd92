// Reads a layer as a tar archive on a thread of its own while its bytes go elsewhere: they are
// pushed in, and at the end it gives the diff id, or says what is wrong with the layer. At most a
// few MiB are waiting. Push and Finish from one thread.
#ifndef VARVE_CLIENT_ARCHIVE_LAYER_CHECK_H_
#define VARVE_CLIENT_ARCHIVE_LAYER_CHECK_H_

#include <optional>
#include <string_view>
#include <thread>

#include "absl/status/statusor.h"
#include "client/archive/byte_queue.h"
#include "client/archive/inflated_digest.h"

namespace varve {

class LayerCheck {
 public:
  explicit LayerCheck(const InflateLimits& limits = {});
  ~LayerCheck();  // gives up
  LayerCheck(const LayerCheck&) = delete;
  LayerCheck& operator=(const LayerCheck&) = delete;

  // Takes the next bytes; waits when the thread is behind. The errors of DigestInflatedTar, as soon
  // as they are found.
  absl::Status Push(std::string_view bytes);
  // There are no more bytes. Waits for the thread; the same answer each time.
  absl::StatusOr<InflatedDigest> Finish();

 private:
  ByteQueue queue_;
  std::optional<absl::StatusOr<InflatedDigest>> answer_;  // of the thread, until it is joined
  std::thread thread_;                                    // last, for it uses the rest
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_LAYER_CHECK_H_
