// Images as messages of varve.v1.
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "daemon/grpc/messages.h"
#include "storage/api/pruning.h"

namespace varve {
namespace {

// Text that comes out of JSON is valid UTF-8, as a proto3 string must be: its parser has checked
// it.

// A list that no message may outgrow, as images.proto says: 1,000 x (255 + 128) B = 383 kB.
constexpr size_t kMaxListed = 1000;

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
    out->set_more_tags(MoreOf(place.tags));
  }
  message->set_more_places(MoreOf(match.places));
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
  message->set_more_untagged(MoreOf(removed.untagged));
  message->set_more_deleted(MoreOf(removed.deleted));
  if (removed.promised_until_nanos != 0) {
    message->set_promised_images(removed.promised_images);
    message->set_promised_bytes(removed.promised_bytes);
    ToMessage(removed.promised_until_nanos, message->mutable_promised_until());
  }
}

void ToMessage(const PruneReport& report, v1::PruneResponse::Report* message) {
  message->set_images(report.images);
  message->set_content_bytes(report.content_bytes);
  message->set_freed_bytes(report.freed_bytes);
  message->set_deferred(report.deferred);
  message->set_untagged(report.untagged);
  message->set_skipped(report.skipped);
  if (report.deferred_until_nanos != 0) {
    ToMessage(report.deferred_until_nanos, message->mutable_deferred_until());
  }
  message->set_deferred_bytes(report.deferred_bytes);
}

std::vector<v1::PruneResponse> ToMessages(const PruneStep& step) {
  std::vector<v1::PruneResponse> messages(1);
  for (const std::string& name : step.untagged) {
    if (messages.back().untagged_size() == static_cast<int>(kMaxListed)) messages.emplace_back();
    messages.back().add_untagged(name);
  }
  v1::PruneResponse* const message = &messages.back();
  switch (step.kind) {
    case PruneStep::Kind::kRemoved:
      ToMessage(step.image, message->mutable_image());
      break;
    case PruneStep::Kind::kDeferred:
    case PruneStep::Kind::kSkipped:
      ToMessage(step.image, message->mutable_kept()->mutable_image());
      message->mutable_kept()->set_reason(step.reason);
      if (step.until_nanos != 0) {
        ToMessage(step.until_nanos, message->mutable_kept()->mutable_until());
      }
      break;
    case PruneStep::Kind::kStarted:
      message->set_job(step.job);
      break;
    case PruneStep::Kind::kQueued:
      message->set_looked_at(step.looked_at);
      break;
  }
  return messages;
}

PruneRequest FromMessage(const v1::PruneRequest& message) {
  PruneRequest request;
  request.filters.assign(message.filters().begin(), message.filters().end());
  request.dry_run = message.dry_run();
  request.all = message.all();
  request.now = message.now();
  return request;
}

void ToMessage(const std::vector<PruneJob>& jobs, v1::ListPrunesResponse* message) {
  for (const PruneJob& job : jobs) {
    v1::PruneJob* const out = message->add_jobs();
    out->set_id(job.id);
    for (const std::string& filter : job.request.filters)
      out->mutable_request()->add_filters(filter);
    out->mutable_request()->set_all(job.request.all);
    out->mutable_request()->set_now(job.request.now);
    switch (job.state) {
      case PruneJob::State::kQueued:
        out->set_state(v1::PruneJob::QUEUED);
        break;
      case PruneJob::State::kRunning:
        out->set_state(v1::PruneJob::RUNNING);
        break;
      case PruneJob::State::kDone:
        out->set_state(v1::PruneJob::DONE);
        break;
      case PruneJob::State::kCancelled:
        out->set_state(v1::PruneJob::CANCELLED);
        break;
    }
    ToMessage(job.queued_nanos, out->mutable_queued());
    if (job.started_nanos != 0) ToMessage(job.started_nanos, out->mutable_started());
    if (job.ended_nanos != 0) ToMessage(job.ended_nanos, out->mutable_ended());
    ToMessage(job.report, out->mutable_report());
    out->set_error(job.error);
    out->set_callers(static_cast<uint32_t>(job.callers));
  }
}

namespace {

v1::ExplainResponse::Keeper::Kind KindOf(Keeper::Kind kind) {
  switch (kind) {
    case Keeper::Kind::kTag:
      return v1::ExplainResponse::Keeper::TAG;
    case Keeper::Kind::kHold:
      return v1::ExplainResponse::Keeper::HOLD;
    case Keeper::Kind::kLease:
      return v1::ExplainResponse::Keeper::LEASE;
    case Keeper::Kind::kManifest:
      return v1::ExplainResponse::Keeper::MANIFEST;
    case Keeper::Kind::kSubject:
      return v1::ExplainResponse::Keeper::SUBJECT;
    case Keeper::Kind::kMember:
      return v1::ExplainResponse::Keeper::MEMBER;
    case Keeper::Kind::kPromise:
      return v1::ExplainResponse::Keeper::PROMISE;
  }
  return v1::ExplainResponse::Keeper::KIND_UNSPECIFIED;
}

}  // namespace

void ToMessage(const KeeperReport& report, v1::ExplainResponse* message) {
  message->set_digest(report.digest.ToString());
  message->set_truncated(!report.complete);
  message->set_dangling(report.dangling);
  message->set_prune_takes(report.prune_takes);
  message->set_prune_all_takes(report.prune_all_takes);
  for (const Keeper& keeper : report.keepers) {
    v1::ExplainResponse::Keeper* const out = message->add_keepers();
    out->set_kind(KindOf(keeper.kind));
    out->set_depth(static_cast<uint32_t>(keeper.depth));
    out->set_repository(keeper.repository);
    out->set_name(keeper.name);
    const bool names_manifest =
        keeper.kind == Keeper::Kind::kManifest || keeper.kind == Keeper::Kind::kSubject;
    if (names_manifest) out->set_digest(keeper.manifest.ToString());
    if (keeper.since_nanos != 0) ToMessage(keeper.since_nanos, out->mutable_since());
    if (keeper.until_nanos != 0) ToMessage(keeper.until_nanos, out->mutable_until());
  }
}

}  // namespace varve
