#include "client/messages.h"

#include <optional>
#include <string>
#include <utility>

#include "storage/base/clock.h"
#include "storage/base/status.h"

namespace varve {
namespace {

absl::StatusOr<std::optional<Digest>> OptionalDigest(const std::string& text) {
  if (text.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(text));
  return digest;
}

Platform FromMessage(const v1::Platform& message) {
  return {message.os(), message.architecture(), message.variant()};
}

absl::StatusOr<ChildInfo> FromMessage(const v1::ImageDetails::Child& message) {
  ChildInfo child;
  ASSIGN_OR_RETURN(child.digest, Digest::Parse(message.digest()));
  child.media_type = message.media_type();
  child.size_bytes = message.size_bytes();
  child.platform = FromMessage(message.platform());
  child.present = message.present();
  child.total_bytes = message.total_bytes();
  return child;
}

absl::StatusOr<LayerInfo> FromMessage(const v1::ImageDetails::Layer& message) {
  LayerInfo layer;
  ASSIGN_OR_RETURN(layer.digest, Digest::Parse(message.digest()));
  layer.media_type = message.media_type();
  layer.size_bytes = message.size_bytes();
  layer.diff_id = message.diff_id();
  return layer;
}

}  // namespace

int64_t Nanos(const google::protobuf::Timestamp& time) {
  return time.seconds() * kNanosPerSecond + time.nanos();
}

absl::StatusOr<BlobInfo> FromMessage(const v1::BlobInfo& message) {
  BlobInfo info;
  ASSIGN_OR_RETURN(info.digest, Digest::Parse(message.digest()));
  info.size_bytes = message.size_bytes();
  info.created_nanos = Nanos(message.created());
  return info;
}

absl::StatusOr<ManifestInfo> FromMessage(const v1::ManifestInfo& message) {
  ManifestInfo info;
  ASSIGN_OR_RETURN(info.digest, Digest::Parse(message.digest()));
  info.media_type = message.media_type();
  info.artifact_type = message.artifact_type();
  ASSIGN_OR_RETURN(info.subject, OptionalDigest(message.subject_digest()));
  ASSIGN_OR_RETURN(info.config, OptionalDigest(message.config_digest()));
  info.size_bytes = message.size_bytes();
  info.content_bytes = message.content_bytes();
  info.pushed_nanos = Nanos(message.pushed());
  return info;
}

absl::StatusOr<ImageInfo> FromMessage(const v1::Image& message) {
  ImageInfo image;
  image.repository = message.repository();
  image.tag = message.tag();
  image.tagged_nanos = Nanos(message.tagged());
  image.pulled_nanos = Nanos(message.pulled());
  ASSIGN_OR_RETURN(image.manifest, FromMessage(message.manifest()));
  if (message.has_created()) image.created_nanos = Nanos(message.created());
  image.platform = FromMessage(message.platform());
  image.total_bytes = message.total_bytes();
  return image;
}

absl::StatusOr<ImageMatch> FromMessage(const v1::FindImageResponse& message) {
  ImageMatch match;
  ASSIGN_OR_RETURN(match.manifest, Digest::Parse(message.digest()));
  match.by_id = message.by_id();
  match.tag = message.tag();
  for (const v1::FindImageResponse::Place& place : message.places()) {
    match.places.push_back(
        {place.repository(), {place.tags().begin(), place.tags().end()}, place.more_tags()});
  }
  match.more_places = message.more_places();
  if (match.places.empty()) return absl::InternalError("the daemon named no repository");
  return match;
}

absl::StatusOr<ImageDetails> FromMessage(const v1::ImageDetails& message) {
  ImageDetails details;
  ASSIGN_OR_RETURN(details.image, FromMessage(message.image()));
  details.references.assign(message.references().begin(), message.references().end());
  details.more_references = message.more_references();
  for (const v1::ImageDetails::Child& child : message.children()) {
    ASSIGN_OR_RETURN(ChildInfo info, FromMessage(child));
    details.children.push_back(std::move(info));
  }
  details.annotations_json = message.annotations_json();
  ASSIGN_OR_RETURN(details.described, OptionalDigest(message.described_digest()));
  ASSIGN_OR_RETURN(details.config, OptionalDigest(message.config_digest()));
  details.author = message.author();
  details.docker_version = message.docker_version();
  details.runtime_json = message.runtime_json();
  details.labels.assign(message.labels().begin(), message.labels().end());
  for (const v1::ImageDetails::Layer& layer : message.layers()) {
    ASSIGN_OR_RETURN(LayerInfo info, FromMessage(layer));
    details.layers.push_back(std::move(info));
  }
  return details;
}

std::vector<HistoryEntry> FromMessage(const v1::ImageHistoryResponse& message) {
  std::vector<HistoryEntry> history;
  for (auto entry = message.entries().rbegin(); entry != message.entries().rend(); ++entry) {
    HistoryEntry& out = history.emplace_back();
    if (entry->has_created()) out.created_nanos = Nanos(entry->created());
    out.created_by = entry->created_by();
    out.author = entry->author();
    out.comment = entry->comment();
    out.empty_layer = entry->empty_layer();
    out.size_bytes = entry->size_bytes();
  }
  return history;
}

}  // namespace varve
