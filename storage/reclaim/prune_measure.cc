// What a prune gives back: reclaims what only the removed images kept, and measures what became of
// it.
#include <algorithm>
#include <utility>

#include "storage/base/status.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/reclaim/prune.h"

namespace varve {
namespace {

// Blobs looked up with one read.
constexpr size_t kBlobsAtOnce = 256;

}  // namespace

absl::Status Prune::Reclaim() {
  if (dry_run_) return absl::OkStatus();
  std::vector<std::pair<Digest, BlobCopy>> blobs(blobs_.begin(), blobs_.end());
  blobs_.clear();
  // In the order of the index, where each read is near the one before.
  std::sort(blobs.begin(), blobs.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  RETURN_IF_ERROR(ForgetNamed(blobs));
  for (const auto& [digest, copy] : blobs) report_.content_bytes += copy.size_bytes;
  RETURN_IF_ERROR(parts_.reclaim());
  for (size_t begin = 0; begin < blobs.size(); begin += kBlobsAtOnce) {
    RETURN_IF_ERROR(Measure(absl::MakeConstSpan(blobs).subspan(begin, kBlobsAtOnce)));
  }
  return absl::OkStatus();
}

// Those that an image names, or a repository lists: when the last of these goes, they come again.
absl::Status Prune::ForgetNamed(std::vector<std::pair<Digest, BlobCopy>>& blobs) {
  size_t left = 0;
  for (size_t begin = 0; begin < blobs.size(); begin += kBlobsAtOnce) {
    const size_t end = std::min(blobs.size(), begin + kBlobsAtOnce);
    std::vector<KeyRange> ranges;
    for (size_t i = begin; i < end; ++i) ranges.push_back(EdgesOfImages(blobs[i].first));
    ASSIGN_OR_RETURN(const FirstRows edges, parts_.images.index.FirstOfEach(ranges));
    for (size_t i = begin; i < end; ++i) {
      if (!edges[i - begin].has_value()) blobs[left++] = blobs[i];
    }
  }
  blobs.resize(left);
  return absl::OkStatus();
}

// Looked up instead of believed: another pass of the reclaimer may have taken it, and a push may
// have brought it back.
absl::Status Prune::Measure(absl::Span<const std::pair<Digest, BlobCopy>> blobs) {
  std::vector<std::string> keys;
  for (const auto& [digest, copy] : blobs) keys.push_back(BlobKey(digest));
  ASSIGN_OR_RETURN(const OptionalValues rows, parts_.images.index.GetMany(keys));
  for (size_t i = 0; i < blobs.size(); ++i) {
    const auto& [digest, copy] = blobs[i];
    if (rows[i].has_value()) {
      ASSIGN_OR_RETURN(const bool kept, parts_.images.index.HasAny(EdgePrefix(digest)));
      if (!kept) {
        ++report_.deferred;
        report_.deferred_bytes += copy.kept_bytes;
        report_.deferred_until_nanos =
            std::max(report_.deferred_until_nanos,
                     parts_.clock.WallNanos() + parts_.promises.KeptNanos(digest));
      }
    }
    report_.freed_bytes += parts_.images.blobs.FreedBytes(copy);
  }
  return absl::OkStatus();
}

}  // namespace varve
