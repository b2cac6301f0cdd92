#include "client/archive/load_order.h"

#include <algorithm>
#include <utility>

namespace varve {

LoadOrder::LoadOrder(std::vector<ImageRelations> images) : images_(std::move(images)) {
  std::vector<size_t> parts;
  for (size_t i = 0; i < images_.size(); ++i) {
    if (!images_[i].attachments.empty()) {
      referrers_.push_back(i);
      if (images_[i].digest) waiting_.insert(*images_[i].digest);
    } else if (images_[i].part) {
      parts.push_back(i);
    } else {
      plain_.push_back(i);
    }
  }
  plain_.insert(plain_.end(), parts.begin(), parts.end());
}

std::optional<size_t> LoadOrder::Next() {
  while (!plain_.empty()) {
    const size_t next = plain_.front();
    plain_.pop_front();
    const ImageRelations& image = images_[next];
    if (!image.part || !image.digest || !places_.contains(*image.digest)) return next;
  }
  return NextReferrer();
}

std::optional<size_t> LoadOrder::NextReferrer() {
  if (referrers_.empty()) return std::nullopt;
  // One whose subjects have all their places. If there is none, one that need not wait, for nothing
  // comes any more that it could follow; and of a circle, which tags can make, any.
  const auto follows = [this](size_t image) { return !Waits(image) && HasPlaces(image); };
  const auto goes_alone = [this](size_t image) { return !Waits(image); };
  auto chosen = std::find_if(referrers_.begin(), referrers_.end(), follows);
  if (chosen == referrers_.end()) {
    chosen = std::find_if(referrers_.begin(), referrers_.end(), goes_alone);
  }
  if (chosen == referrers_.end()) chosen = referrers_.begin();
  const size_t next = *chosen;
  referrers_.erase(chosen);
  if (images_[next].digest) waiting_.erase(*images_[next].digest);
  return next;
}

bool LoadOrder::Waits(size_t image) const {
  const std::vector<Attachment>& attachments = images_[image].attachments;
  return std::any_of(attachments.begin(), attachments.end(), [this](const Attachment& attachment) {
    return waiting_.contains(attachment.subject);
  });
}

bool LoadOrder::HasPlaces(size_t image) const {
  const std::vector<Attachment>& attachments = images_[image].attachments;
  return std::any_of(attachments.begin(), attachments.end(), [this](const Attachment& attachment) {
    return places_.contains(attachment.subject);
  });
}

void LoadOrder::Place(const Digest& manifest, const std::string& repository) {
  places_[manifest].insert(repository);
}

std::vector<ArchiveImageName> LoadOrder::PlacesOf(size_t image) const {
  std::vector<ArchiveImageName> places;
  for (const Attachment& attachment : images_[image].attachments) {
    const auto found = places_.find(attachment.subject);
    if (found == places_.end()) continue;
    for (const std::string& repository : found->second) {
      places.push_back({.repository = repository, .tag = attachment.tag});
    }
  }
  return places;
}

}  // namespace varve
