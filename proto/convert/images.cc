#include "proto/convert/images.h"

#include <utility>

namespace varve {
namespace {

template <typename T>
absl::Span<const T> FirstOf(const std::vector<T>& list) {
  return absl::MakeConstSpan(list).subspan(0, kMaxListed);
}

// How many FirstOf leaves out; the message says so.
template <typename T>
uint64_t MoreOf(const std::vector<T>& list) {
  return list.size() - FirstOf(list).size();
}

void ToMessage(const Platform& platform, v1::Platform* message) {
  message->set_os(platform.os);
  message->set_architecture(platform.architecture);
  message->set_variant(platform.variant);
}

Platform FromMessage(const v1::Platform& message) {
  return {message.os(), message.architecture(), message.variant()};
}

void ToMessage(const LayerInfo& layer, v1::ImageDetails::Layer* message) {
  message->set_digest(layer.digest.ToString());
  message->set_media_type(layer.media_type);
  message->set_size_bytes(layer.size_bytes);
  message->set_diff_id(layer.diff_id);
}

absl::StatusOr<LayerInfo> FromMessage(const v1::ImageDetails::Layer& message) {
  LayerInfo layer;
  ASSIGN_OR_RETURN(layer.digest, Digest::Parse(message.digest()));
  layer.media_type = message.media_type();
  layer.size_bytes = message.size_bytes();
  layer.diff_id = message.diff_id();
  return layer;
}

void ToMessage(const ChildInfo& child, v1::ImageDetails::Child* message) {
  message->set_digest(child.digest.ToString());
  message->set_media_type(child.media_type);
  message->set_size_bytes(child.size_bytes);
  ToMessage(child.platform, message->mutable_platform());
  message->set_present(child.present);
  message->set_total_bytes(child.total_bytes);
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

}  // namespace

void ToMessage(const ManifestInfo& info, v1::ManifestInfo* message) {
  message->set_digest(info.digest.ToString());
  message->set_media_type(info.media_type);
  message->set_artifact_type(info.artifact_type);
  if (info.subject) message->set_subject_digest(info.subject->ToString());
  if (info.config) message->set_config_digest(info.config->ToString());
  message->set_size_bytes(info.size_bytes);
  message->set_content_bytes(info.content_bytes);
  ToMessage(info.pushed_nanos, message->mutable_pushed());
}

absl::StatusOr<ManifestInfo> FromMessage(const v1::ManifestInfo& message) {
  ManifestInfo info;
  ASSIGN_OR_RETURN(info.digest, Digest::Parse(message.digest()));
  info.media_type = message.media_type();
  info.artifact_type = message.artifact_type();
  ASSIGN_OR_RETURN(info.subject, OptionalDigest("subject_digest", message.subject_digest()));
  ASSIGN_OR_RETURN(info.config, OptionalDigest("config_digest", message.config_digest()));
  info.size_bytes = message.size_bytes();
  info.content_bytes = message.content_bytes();
  info.pushed_nanos = Nanos(message.pushed());
  return info;
}

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

absl::StatusOr<ImageInfo> FromMessage(const v1::Image& message) {
  ImageInfo info;
  info.repository = message.repository();
  info.tag = message.tag();
  info.tagged_nanos = Nanos(message.tagged());
  ASSIGN_OR_RETURN(info.manifest, FromMessage(message.manifest()));
  if (message.has_created()) info.created_nanos = Nanos(message.created());
  info.platform = FromMessage(message.platform());
  info.total_bytes = message.total_bytes();
  info.pulled_nanos = Nanos(message.pulled());
  return info;
}

void ToMessage(const ImageMatch& match, v1::FindImageResponse* message) {
  message->set_digest(match.manifest.ToString());
  message->set_by_id(match.by_id);
  message->set_tag(match.tag);
  for (const ImageMatch::Place& place : FirstOf(match.places)) {
    v1::FindImageResponse::Place* const out = message->add_places();
    out->set_repository(place.repository);
    for (const std::string& tag : FirstOf(place.tags)) out->add_tags(tag);
    out->set_more_tags(MoreOf(place.tags));
  }
  message->set_more_places(MoreOf(match.places));
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

void ToMessage(const ImageDetails& details, v1::ImageDetails* message) {
  ToMessage(details.image, message->mutable_image());
  for (const std::string& reference : details.references) message->add_references(reference);
  message->set_more_references(details.more_references);
  for (const ChildInfo& child : details.children) ToMessage(child, message->add_children());
  message->set_annotations_json(details.annotations_json);
  if (details.described) message->set_described_digest(details.described->ToString());
  if (details.config) message->set_config_digest(details.config->ToString());
  message->set_author(details.author);
  message->set_docker_version(details.docker_version);
  message->set_runtime_json(details.runtime_json);
  ToMessage(details.labels, message->mutable_labels());
  for (const LayerInfo& layer : details.layers) ToMessage(layer, message->add_layers());
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
  ASSIGN_OR_RETURN(details.described,
                   OptionalDigest("described_digest", message.described_digest()));
  ASSIGN_OR_RETURN(details.config, OptionalDigest("config_digest", message.config_digest()));
  details.author = message.author();
  details.docker_version = message.docker_version();
  details.runtime_json = message.runtime_json();
  details.labels = SortedPairs(message.labels());
  for (const v1::ImageDetails::Layer& layer : message.layers()) {
    ASSIGN_OR_RETURN(LayerInfo info, FromMessage(layer));
    details.layers.push_back(std::move(info));
  }
  return details;
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

void ToMessage(const ImageQuery& query, v1::ListImagesRequest* message) {
  message->set_repository(query.repository);
  for (const std::string& filter : query.filters) message->add_filters(filter);
  message->set_all(query.all);
}

ImageQuery FromMessage(const v1::ListImagesRequest& message) {
  ImageQuery query;
  query.repository = message.repository();
  query.filters.assign(message.filters().begin(), message.filters().end());
  query.all = message.all();
  return query;
}

void ToMessage(const RemovedImage& removed, v1::RemoveImageResponse* message) {
  for (const std::string& name : FirstOf(removed.untagged)) message->add_untagged(name);
  for (const std::string& name : FirstOf(removed.deleted)) message->add_deleted(name);
  message->set_more_untagged(MoreOf(removed.untagged));
  message->set_more_deleted(MoreOf(removed.deleted));
  if (removed.promised_until_nanos != 0) {
    message->set_promised_images(removed.promised_images);
    message->set_promised_bytes(removed.promised_bytes);
    ToMessage(removed.promised_until_nanos, message->mutable_promised_until());
  }
}

RemovedImage FromMessage(const v1::RemoveImageResponse& message) {
  RemovedImage removed;
  removed.untagged.assign(message.untagged().begin(), message.untagged().end());
  removed.deleted.assign(message.deleted().begin(), message.deleted().end());
  removed.more_untagged = message.more_untagged();
  removed.more_deleted = message.more_deleted();
  removed.promised_images = message.promised_images();
  removed.promised_bytes = message.promised_bytes();
  removed.promised_until_nanos = Nanos(message.promised_until());
  return removed;
}

}  // namespace varve
