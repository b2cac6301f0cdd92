#include "storage/blob/idle_uploads.h"

#include <algorithm>
#include <limits>

#include "storage/base/check.h"

namespace varve {

IdleUploads::Rank IdleUploads::RankOf(const Share& share) {
  int64_t oldest = std::numeric_limits<int64_t>::max();
  for (const ByAge* uploads : {&share.empty, &share.with_bytes}) {
    if (!uploads->empty()) oldest = std::min(oldest, uploads->begin()->first.first);
  }
  return {share.count(), -oldest, &share};
}

void IdleUploads::Add(IdleUpload& upload) {
  CheckInvariant(upload.idle_number == 0, "an upload is idle once");
  upload.idle_number = ++last_number_;
  Share& share = shares_[upload.client];
  if (share.count() > 0) ranks_.erase(RankOf(share));
  const ByAge::key_type age{upload.idle_since_nanos, upload.idle_number};
  if (upload.idle_bytes == 0) {
    share.empty.emplace(age, &upload);
  } else {
    share.with_bytes.emplace(age, &upload);
    share.bytes += upload.idle_bytes;
    with_bytes_.emplace(age, &upload);
  }
  ranks_.insert(RankOf(share));
}

void IdleUploads::Remove(IdleUpload& upload) {
  if (upload.idle_number == 0) return;
  const auto found = shares_.find(upload.client);
  CheckInvariant(found != shares_.end(), "the client of an idle upload has a share");
  Share& share = found->second;
  ranks_.erase(RankOf(share));
  const ByAge::key_type age{upload.idle_since_nanos, upload.idle_number};
  size_t removed = 0;
  if (upload.idle_bytes == 0) {
    removed = share.empty.erase(age);
  } else {
    CheckInvariant(share.bytes >= upload.idle_bytes,
                   "a client's idle bytes are those of its uploads");
    removed = share.with_bytes.erase(age);
    share.bytes -= upload.idle_bytes;
    with_bytes_.erase(age);
  }
  CheckInvariant(removed == 1, "an idle upload is in the share of its client");
  upload.idle_number = 0;
  if (share.count() > 0) {
    ranks_.insert(RankOf(share));
  } else {
    shares_.erase(found);
  }
}

IdleUpload* IdleUploads::ForSlot(const std::string& for_client) const {
  if (ranks_.empty()) return nullptr;
  const Share& largest = *std::get<const Share*>(*ranks_.rbegin());
  if (!largest.empty.empty()) return largest.empty.begin()->second;
  const auto own = shares_.find(for_client);
  const size_t own_count = own == shares_.end() ? 0 : own->second.count();
  return largest.count() > own_count + 1 ? largest.with_bytes.begin()->second : nullptr;
}

IdleUpload* IdleUploads::IdleSince(int64_t before_nanos) const {
  if (with_bytes_.empty() || with_bytes_.begin()->first.first > before_nanos) return nullptr;
  return with_bytes_.begin()->second;
}

IdleUpload* IdleUploads::OverFairShare(const std::string& for_client, uint64_t wanted_bytes,
                                       int64_t before_nanos) const {
  const Share* largest = nullptr;
  for (const auto& [client, share] : shares_) {
    if (largest == nullptr || share.bytes > largest->bytes) largest = &share;
  }
  if (largest == nullptr || largest->with_bytes.empty()) return nullptr;
  const auto own = shares_.find(for_client);
  const uint64_t own_bytes = own == shares_.end() ? 0 : own->second.bytes;
  const bool is_over = largest->bytes > own_bytes && largest->bytes - own_bytes > wanted_bytes;
  const auto& [age, idlest] = *largest->with_bytes.begin();
  return is_over && age.first <= before_nanos ? idlest : nullptr;
}

}  // namespace varve
