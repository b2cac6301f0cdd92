#include "proto/convert/system.h"

#include <iterator>
#include <string>
#include <utility>

#include "proto/convert/values.h"
#include "storage/base/status.h"

namespace varve {
namespace {

using MessageFinding = v1::CheckResponse::Finding;

constexpr std::pair<CheckFinding::Kind, MessageFinding::Kind> kFindingKinds[] = {
    {CheckFinding::Kind::kDamagedRow, MessageFinding::DAMAGED_ROW},
    {CheckFinding::Kind::kMissingEdge, MessageFinding::MISSING_EDGE},
    {CheckFinding::Kind::kEdgeWithoutSource, MessageFinding::EDGE_WITHOUT_SOURCE},
    {CheckFinding::Kind::kMissingContent, MessageFinding::MISSING_CONTENT},
    {CheckFinding::Kind::kBadContent, MessageFinding::BAD_CONTENT},
    {CheckFinding::Kind::kTagWithoutImage, MessageFinding::TAG_WITHOUT_IMAGE},
    {CheckFinding::Kind::kMissingRow, MessageFinding::MISSING_ROW},
    {CheckFinding::Kind::kOrphanRow, MessageFinding::ORPHAN_ROW},
    {CheckFinding::Kind::kNeverEnds, MessageFinding::NEVER_ENDS},
    {CheckFinding::Kind::kLiveRemoval, MessageFinding::LIVE_REMOVAL},
    {CheckFinding::Kind::kNeverReclaimed, MessageFinding::NEVER_RECLAIMED},
    {CheckFinding::Kind::kStrayFile, MessageFinding::STRAY_FILE},
    {CheckFinding::Kind::kWrongStatistics, MessageFinding::WRONG_STATISTICS},
    {CheckFinding::Kind::kTwoNames, MessageFinding::TWO_NAMES},
};
static_assert(std::size(kFindingKinds) == MessageFinding::Kind_ARRAYSIZE - 1);

constexpr std::pair<Event::Type, v1::Event::Type> kEventTypes[] = {
    {Event::Type::kPush, v1::Event::PUSH},     {Event::Type::kPull, v1::Event::PULL},
    {Event::Type::kTag, v1::Event::TAG},       {Event::Type::kUntag, v1::Event::UNTAG},
    {Event::Type::kDelete, v1::Event::DELETE}, {Event::Type::kPrune, v1::Event::PRUNE},
};
static_assert(std::size(kEventTypes) == v1::Event::Type_ARRAYSIZE - 1);

void ToMessage(const DiskUsage::Part& part, v1::DiskUsageResponse::Part* message) {
  message->set_count(part.count);
  message->set_logical_bytes(part.logical_bytes);
  message->set_disk_bytes(part.disk_bytes);
}

DiskUsage::Part FromMessage(const v1::DiskUsageResponse::Part& message) {
  return {message.count(), message.logical_bytes(), message.disk_bytes()};
}

}  // namespace

void ToMessage(const RepositoryInfo& info, v1::Repository* message) {
  message->set_name(info.name);
  message->set_tags(info.tags);
  message->set_manifests(info.manifests);
  ToMessage(info.created_nanos, message->mutable_created());
}

RepositoryInfo FromMessage(const v1::Repository& message) {
  return {message.name(), message.tags(), message.manifests(), Nanos(message.created())};
}

void ToMessage(const RepositoryMerge& merge, v1::MergeRepositoriesResponse* message) {
  message->set_from(merge.from);
  message->set_into(merge.into);
  message->set_merged(merge.merged);
  for (const RepositoryMerge::Collision& collision : merge.collisions) {
    v1::MergeRepositoriesResponse::Collision* const out = message->add_collisions();
    out->set_tag(collision.tag);
    out->set_from_digest(collision.from.ToString());
    out->set_into_digest(collision.into.ToString());
    out->set_from_stays(collision.from_stays);
  }
  message->set_more_collisions(merge.more_collisions);
  message->set_manifests(merge.manifests);
}

absl::StatusOr<RepositoryMerge> FromMessage(const v1::MergeRepositoriesResponse& message) {
  RepositoryMerge merge;
  merge.from = message.from();
  merge.into = message.into();
  merge.merged = message.merged();
  for (const v1::MergeRepositoriesResponse::Collision& in : message.collisions()) {
    RepositoryMerge::Collision& collision = merge.collisions.emplace_back();
    collision.tag = in.tag();
    ASSIGN_OR_RETURN(collision.from, Digest::Parse(in.from_digest()));
    ASSIGN_OR_RETURN(collision.into, Digest::Parse(in.into_digest()));
    collision.from_stays = in.from_stays();
  }
  merge.more_collisions = message.more_collisions();
  merge.manifests = message.manifests();
  return merge;
}

void ToMessage(const StoreInfo& info, v1::InfoResponse* message) {
  message->set_store_uuid(info.uuid);
  ToMessage(info.created_nanos, message->mutable_store_created());
  message->set_format_version(info.format_version);
  message->set_blob_bytes(info.blob_bytes);
  message->set_max_bytes(info.max_bytes);
  message->set_disk_total_bytes(info.disk_total_bytes);
  message->set_disk_free_bytes(info.disk_free_bytes);
  ToMessage(info.promise_nanos, message->mutable_promise());
  ToMessage(info.renew_nanos, message->mutable_renew());
  message->set_canonical_names(info.names.canonical);
  for (const std::string& host : info.names.own_hosts) message->add_own_hosts(host);
}

StoreInfo FromMessage(const v1::InfoResponse& message) {
  StoreInfo info;
  info.uuid = message.store_uuid();
  info.created_nanos = Nanos(message.store_created());
  info.format_version = message.format_version();
  info.blob_bytes = message.blob_bytes();
  info.max_bytes = message.max_bytes();
  info.disk_total_bytes = message.disk_total_bytes();
  info.disk_free_bytes = message.disk_free_bytes();
  info.promise_nanos = Nanos(message.promise());
  info.renew_nanos = Nanos(message.renew());
  info.names.canonical = message.canonical_names();
  info.names.own_hosts.assign(message.own_hosts().begin(), message.own_hosts().end());
  return info;
}

void ToMessage(const RecentActivity& activity, v1::ListActivityResponse* message) {
  for (const RecentActivity::Upload& upload : activity.uploads) {
    v1::ListActivityResponse::Upload* const out = message->add_uploads();
    out->set_repository(upload.repository);
    out->set_id(upload.id);
    out->set_received_bytes(upload.received_bytes);
    ToMessage(upload.updated_nanos, out->mutable_updated());
  }
  message->set_more_uploads(activity.more_uploads);
  for (const std::string& name : activity.repositories) message->add_repositories(name);
  message->set_more_repositories(activity.more_repositories);
}

RecentActivity FromMessage(const v1::ListActivityResponse& message) {
  RecentActivity activity;
  for (const v1::ListActivityResponse::Upload& upload : message.uploads()) {
    activity.uploads.push_back(
        {upload.repository(), upload.id(), upload.received_bytes(), Nanos(upload.updated())});
  }
  activity.more_uploads = message.more_uploads();
  activity.repositories.assign(message.repositories().begin(), message.repositories().end());
  activity.more_repositories = message.more_repositories();
  return activity;
}

void ToMessage(const DiskUsage& usage, v1::DiskUsageResponse* message) {
  message->set_repositories(usage.repositories);
  message->set_tags(usage.tags);
  message->set_images(usage.images);
  ToMessage(usage.tagged, message->mutable_tagged());
  ToMessage(usage.dangling, message->mutable_dangling());
  ToMessage(usage.in_use, message->mutable_in_use());
  ToMessage(usage.unused, message->mutable_unused());
  ToMessage(usage.loose, message->mutable_loose());
  ToMessage(usage.inlined, message->mutable_inlined());
  ToMessage(usage.unreferenced, message->mutable_unreferenced());
  ToMessage(usage.uploads, message->mutable_uploads());
  ToMessage(usage.orphans, message->mutable_orphans());
  message->set_index_disk_bytes(usage.index_disk_bytes);
  message->set_reserve_disk_bytes(usage.reserve_disk_bytes);
}

DiskUsage FromMessage(const v1::DiskUsageResponse& message) {
  DiskUsage usage;
  usage.repositories = message.repositories();
  usage.tags = message.tags();
  usage.images = message.images();
  usage.tagged = FromMessage(message.tagged());
  usage.dangling = FromMessage(message.dangling());
  usage.in_use = FromMessage(message.in_use());
  usage.unused = FromMessage(message.unused());
  usage.loose = FromMessage(message.loose());
  usage.inlined = FromMessage(message.inlined());
  usage.unreferenced = FromMessage(message.unreferenced());
  usage.uploads = FromMessage(message.uploads());
  usage.orphans = FromMessage(message.orphans());
  usage.index_disk_bytes = message.index_disk_bytes();
  usage.reserve_disk_bytes = message.reserve_disk_bytes();
  return usage;
}

void ToMessage(const OrphanReport& report, v1::OrphansResponse* message) {
  message->set_adopted(report.adopted);
  message->set_adopted_bytes(report.adopted_bytes);
  message->set_kept(report.kept);
  message->set_kept_bytes(report.kept_bytes);
  message->set_removed(report.removed);
  message->set_removed_bytes(report.removed_bytes);
  message->set_failed(report.failed);
  message->set_failed_bytes(report.failed_bytes);
  message->set_problem(report.problem);
}

OrphanReport FromMessage(const v1::OrphansResponse& message) {
  return {message.adopted(),    message.adopted_bytes(), message.kept(),
          message.kept_bytes(), message.removed(),       message.removed_bytes(),
          message.failed(),     message.failed_bytes(),  message.problem()};
}

void ToMessage(const CheckFinding& finding, v1::CheckResponse::Finding* message) {
  message->set_kind(ToMessage(kFindingKinds, finding.kind));
  if (finding.digest.has_value()) message->set_digest(finding.digest->ToString());
  message->set_repository(finding.repository);
  message->set_text(finding.text);
}

absl::StatusOr<CheckFinding> FromMessage(const v1::CheckResponse::Finding& message) {
  CheckFinding finding;
  finding.kind =
      FromMessage(kFindingKinds, message.kind()).value_or(CheckFinding::Kind::kDamagedRow);
  ASSIGN_OR_RETURN(finding.digest, OptionalDigest("digest", message.digest()));
  finding.repository = message.repository();
  finding.text = message.text();
  return finding;
}

void ToMessage(const CheckReport& report, v1::CheckResponse::Report* message) {
  message->set_rows(report.rows);
  message->set_manifests(report.manifests);
  message->set_files(report.files);
  message->set_findings(report.findings);
  message->set_hashed_blobs(report.hashed_blobs);
  message->set_hashed_bytes(report.hashed_bytes);
}

CheckReport FromMessage(const v1::CheckResponse::Report& message) {
  return {message.rows(),     message.manifests(),    message.files(),
          message.findings(), message.hashed_blobs(), message.hashed_bytes()};
}

v1::Event::Type ToMessage(Event::Type type) { return ToMessage(kEventTypes, type); }

void ToMessage(const Event& event, v1::Event* message) {
  message->set_type(ToMessage(event.type));
  message->set_repository(event.repository);
  message->set_tag(event.tag);
  if (event.type == Event::Type::kPrune) {
    message->set_freed_bytes(event.freed_bytes);
  } else {
    message->set_digest(event.digest.ToString());
  }
  ToMessage(event.time_nanos, message->mutable_time());
}

absl::StatusOr<std::optional<Event>> FromMessage(const v1::Event& message) {
  const std::optional<Event::Type> type = FromMessage(kEventTypes, message.type());
  if (!type.has_value()) return std::nullopt;
  Event event;
  event.type = *type;
  event.repository = message.repository();
  event.tag = message.tag();
  if (*type != Event::Type::kPrune) {
    ASSIGN_OR_RETURN(event.digest, Digest::Parse(message.digest()));
  }
  event.freed_bytes = message.freed_bytes();
  event.time_nanos = Nanos(message.time());
  return event;
}

}  // namespace varve
