// Images as messages of varve.v1.
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "daemon/grpc/messages.h"

namespace varve {
namespace {

// Text that comes out of JSON is valid UTF-8, as a proto3 string must be: its parser has checked
// it.

// A list that no answer may outgrow, as images.proto says: 1,000 x (255 + 128) B = 383 kB.
template <typename T>
absl::Span<const T> FirstOf(const std::vector<T>& list) {
  constexpr size_t kMaxListed = 1000;
  return absl::MakeConstSpan(list).subspan(0, kMaxListed);
}

void ToMessage(const Platform& platform, v1::Platform* message) {
  message->set_os(platform.os);
  message->set_architecture(platform.architecture);
  message->set_variant(platform.variant);
}

void ToMessage(const LayerInfo& layer, v1::ImageDetails::Layer* message) {
  message->set_digest(layer.digest.ToString());
  message->set_media_type(layer.media_type);
  message->set_size_bytes(layer.size_bytes);
  message->set_diff_id(layer.diff_id);
}

void ToMessage(const ChildInfo& child, v1::ImageDetails::Child* message) {
  message->set_digest(child.digest.ToString());
  message->set_media_type(child.media_type);
  message->set_size_bytes(child.size_bytes);
  ToMessage(child.platform, message->mutable_platform());
  message->set_present(child.present);
  message->set_total_bytes(child.total_bytes);
}

}  // namespace

void ToMessage(const ImageInfo& info, v1::Image* message) {
  message->set_repository(info.repository);
  message->set_tag(info.tag);
  if (!info.tag.empty()) ToMessage(info.tagged_nanos, message->mutable_tagged());
  ToMessage(info.manifest, message->mutable_manifest());
  if (info.created_nanos) ToMessage(*info.created_nanos, message->mutable_created());
  ToMessage(info.platform, message->mutable_platform());
  message->set_total_bytes(info.total_bytes);
  if (info.pulled_nanos != 0) ToMessage(info.pulled_nanos, message->mutable_pulled());
}

void ToMessage(const ImageMatch& match, v1::FindImageResponse* message) {
  message->set_digest(match.manifest.ToString());
  message->set_by_id(match.by_id);
  message->set_tag(match.tag);
  for (const ImageMatch::Place& place : FirstOf(match.places)) {
    v1::FindImageResponse::Place* const out = message->add_places();
    out->set_repository(place.repository);
    for (const std::string& tag : FirstOf(place.tags)) out->add_tags(tag);
  }
}

void ToMessage(const ImageDetails& details, v1::ImageDetails* message) {
  ToMessage(details.image, message->mutable_image());
  for (const std::string& reference : details.references) message->add_references(reference);
  for (const ChildInfo& child : details.children) ToMessage(child, message->add_children());
  message->set_annotations_json(details.annotations_json);
  if (details.described) message->set_described_digest(details.described->ToString());
  if (details.config) message->set_config_digest(details.config->ToString());
  message->set_author(details.author);
  message->set_docker_version(details.docker_version);
  message->set_runtime_json(details.runtime_json);
  for (const auto& [key, value] : details.labels) {
    (*message->mutable_labels())[key] = value;
  }
  for (const LayerInfo& layer : details.layers) ToMessage(layer, message->add_layers());
}

void ToMessage(const std::vector<HistoryEntry>& oldest_first, v1::ImageHistoryResponse* message) {
  for (auto entry = oldest_first.rbegin(); entry != oldest_first.rend(); ++entry) {
    v1::ImageHistoryResponse::Entry* const out = message->add_entries();
    if (entry->created_nanos) ToMessage(*entry->created_nanos, out->mutable_created());
    out->set_created_by(entry->created_by);
    out->set_author(entry->author);
    out->set_comment(entry->comment);
    out->set_empty_layer(entry->empty_layer);
    out->set_size_bytes(entry->size_bytes);
  }
}

void ToMessage(const RemovedImage& removed, v1::RemoveImageResponse* message) {
  for (const std::string& name : FirstOf(removed.untagged)) message->add_untagged(name);
  for (const std::string& name : FirstOf(removed.deleted)) message->add_deleted(name);
}

void ToMessage(const PruneReport& report, v1::PruneResponse::Report* message) {
  message->set_images(report.images);
  message->set_content_bytes(report.content_bytes);
  message->set_freed_bytes(report.freed_bytes);
  message->set_deferred(report.deferred);
}

}  // namespace varve
