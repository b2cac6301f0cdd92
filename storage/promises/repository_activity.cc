#include "storage/promises/repository_activity.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"
#include "storage/limits.h"

namespace varve {
namespace {

// How old an answer about free space may be.
constexpr int64_t kSpaceLookNanos = kNanosPerSecond;

}  // namespace

RepositoryActivity::RepositoryActivity(Clock& clock, int64_t pause_nanos,
                                       std::function<bool()> space_is_short)
    : clock_(clock), pause_nanos_(pause_nanos), space_is_short_(std::move(space_is_short)) {}

bool RepositoryActivity::SpaceIsShort(int64_t now) {
  if (space_is_short_ == nullptr) return false;
  int64_t looked = space_looked_nanos_.load(std::memory_order_relaxed);
  if (looked == 0 || now - looked >= kSpaceLookNanos) {
    // One of those who find the answer old asks; the others take the old one.
    if (space_looked_nanos_.compare_exchange_strong(looked, now)) {
      places_->short_of_space.store(space_is_short_(), std::memory_order_relaxed);
    }
  }
  return places_->short_of_space.load(std::memory_order_relaxed);
}

void RepositoryActivity::NoteWrite(RepositoryId repository) {
  const int64_t now = clock_.MonotonicNanos();
  if (SpaceIsShort(now)) return;
  Place& place = places_->Of(repository);
  const int64_t last = place.write_nanos.load(std::memory_order_relaxed);
  if (now - last >= pause_nanos_) place.work_began_nanos.store(now, std::memory_order_relaxed);
  place.repository.store(repository, std::memory_order_relaxed);
  place.write_nanos.store(now, std::memory_order_release);
}

void RepositoryActivity::NoteRead(RepositoryId repository) {
  const int64_t now = clock_.MonotonicNanos();
  if (SpaceIsShort(now)) return;
  Place& place = places_->Of(repository);
  place.repository.store(repository, std::memory_order_relaxed);
  place.read_nanos.store(now, std::memory_order_relaxed);
}

RepositoryActivity::Reading RepositoryActivity::BeginRead(RepositoryId repository) {
  NoteRead(repository);
  return Reading(places_, clock_, repository);
}

RepositoryActivity::Reading::Reading(std::shared_ptr<Places> places, Clock& clock,
                                     RepositoryId repository)
    : places_(std::move(places)), clock_(clock), repository_(repository) {
  places_->Of(repository_).reads.fetch_add(1, std::memory_order_relaxed);
}

RepositoryActivity::Reading::~Reading() {
  if (places_ == nullptr) return;
  Place& place = places_->Of(repository_);
  if (!places_->short_of_space.load(std::memory_order_relaxed)) {
    place.read_nanos.store(clock_.MonotonicNanos(), std::memory_order_relaxed);
  }
  const auto reads = place.reads.fetch_sub(1, std::memory_order_release);
  CheckInvariant(reads > 0, "who reads from a repository ends that once");
}

int64_t RepositoryActivity::LastWriteNanos(RepositoryId repository, int64_t before_nanos) {
  const Place& place = places_->Of(repository);
  const int64_t last = place.write_nanos.load(std::memory_order_acquire);
  return place.work_began_nanos.load(std::memory_order_relaxed) < before_nanos ? last : 0;
}

int64_t RepositoryActivity::LastReadNanos(RepositoryId repository) {
  const Place& place = places_->Of(repository);
  if (place.reads.load(std::memory_order_acquire) > 0) {
    const int64_t now = clock_.MonotonicNanos();
    if (!SpaceIsShort(now)) return now;
  }
  return place.read_nanos.load(std::memory_order_relaxed);
}

std::vector<RepositoryId> RepositoryActivity::ActiveSince(int64_t since_nanos) {
  std::vector<RepositoryId> active;
  for (size_t i = 0; i < kActivityPlaces; ++i) {
    const Place& place = places_->all[i];
    if (place.reads.load(std::memory_order_relaxed) == 0 &&
        place.write_nanos.load(std::memory_order_relaxed) < since_nanos &&
        place.read_nanos.load(std::memory_order_relaxed) < since_nanos) {
      continue;
    }
    active.push_back(place.repository.load(std::memory_order_relaxed));
  }
  return active;
}

void RepositoryActivity::DropOver(Uploads& uploads, int64_t now) const {
  uploads.erase(
      std::remove_if(uploads.begin(), uploads.end(),
                     [&](const Upload& upload) { return now - upload.last_nanos >= pause_nanos_; }),
      uploads.end());
}

void RepositoryActivity::AddUpload(Uploads& uploads, const Upload& upload) {
  for (Upload& known : uploads) {
    if (known.began_nanos != upload.began_nanos) continue;
    known.last_nanos = upload.last_nanos;
    return;
  }
  const auto later = std::find_if(uploads.begin(), uploads.end(), [&](const Upload& other) {
    return other.began_nanos > upload.began_nanos;
  });
  uploads.insert(later, upload);
  if (uploads.size() <= kUploadsPerPlace) return;
  // Those two that began with the least time between them count as one that does what both did.
  auto nearest = uploads.begin();
  for (auto it = uploads.begin(); it + 1 != uploads.end(); ++it) {
    const int64_t gap = (it + 1)->began_nanos - it->began_nanos;
    if (gap < (nearest + 1)->began_nanos - nearest->began_nanos) nearest = it;
  }
  nearest->last_nanos = std::max(nearest->last_nanos, (nearest + 1)->last_nanos);
  uploads.erase(nearest + 1);
  CheckInvariant(uploads.size() == kUploadsPerPlace,
                 "a place remembers a bounded number of uploads");
}

void RepositoryActivity::NoteUpload(RepositoryId repository, int64_t began_nanos) {
  NoteWrite(repository);
  const int64_t now = clock_.MonotonicNanos();
  had_uploads_.store(true, std::memory_order_relaxed);
  MutexLock lock(mutex_);
  if (uploads_.size() >= forget_uploads_at_) {
    for (auto it = uploads_.begin(); it != uploads_.end();) {
      DropOver(it->second, now);
      if (it->second.empty()) {
        uploads_.erase(it++);
      } else {
        ++it;
      }
    }
    forget_uploads_at_ = std::max<size_t>(64, 2 * uploads_.size());
  }
  Uploads& uploads = uploads_[repository % kActivityPlaces];
  DropOver(uploads, now);
  AddUpload(uploads, {began_nanos, now});
}

int64_t RepositoryActivity::LastUploadNanos(RepositoryId repository, int64_t before_nanos) {
  if (!had_uploads_.load(std::memory_order_relaxed)) return 0;
  MutexLock lock(mutex_);
  const auto found = uploads_.find(repository % kActivityPlaces);
  if (found == uploads_.end()) return 0;
  int64_t last = 0;
  for (const Upload& upload : found->second) {
    if (upload.began_nanos < before_nanos) last = std::max(last, upload.last_nanos);
  }
  return last;
}

}  // namespace varve
