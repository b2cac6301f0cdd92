// Prunes, claims and what keeps content, from messages of varve.v1.
#include <optional>
#include <string>
#include <utility>

#include "client/messages.h"
#include "storage/api/pruning.h"
#include "storage/base/status.h"

namespace varve {
namespace {

int64_t NanosOrZero(bool present, const google::protobuf::Timestamp& time) {
  return present ? Nanos(time) : 0;
}

std::optional<Keeper::Kind> FromMessage(v1::ExplainResponse::Keeper::Kind kind) {
  switch (kind) {
    case v1::ExplainResponse::Keeper::TAG:
      return Keeper::Kind::kTag;
    case v1::ExplainResponse::Keeper::HOLD:
      return Keeper::Kind::kHold;
    case v1::ExplainResponse::Keeper::LEASE:
      return Keeper::Kind::kLease;
    case v1::ExplainResponse::Keeper::MANIFEST:
      return Keeper::Kind::kManifest;
    case v1::ExplainResponse::Keeper::SUBJECT:
      return Keeper::Kind::kSubject;
    case v1::ExplainResponse::Keeper::MEMBER:
      return Keeper::Kind::kMember;
    case v1::ExplainResponse::Keeper::PROMISE:
      return Keeper::Kind::kPromise;
    default:
      return std::nullopt;  // of a newer daemon
  }
}

}  // namespace

absl::StatusOr<HoldInfo> FromMessage(const v1::Hold& message) {
  HoldInfo hold;
  hold.name = message.name();
  hold.repository = message.repository();
  ASSIGN_OR_RETURN(hold.manifest, Digest::Parse(message.digest()));
  hold.created_nanos = Nanos(message.created());
  hold.expires_nanos = NanosOrZero(message.has_expires(), message.expires());
  return hold;
}

LeaseInfo FromMessage(const v1::Lease& message) {
  LeaseInfo lease;
  lease.id = message.id();
  lease.owner = message.owner();
  lease.created_nanos = Nanos(message.created());
  lease.deadline_nanos = Nanos(message.deadline());
  lease.contents = message.contents();
  lease.labels.assign(message.labels().begin(), message.labels().end());
  return lease;
}

PruneReport FromMessage(const v1::PruneResponse::Report& message) {
  PruneReport report;
  report.images = message.images();
  report.content_bytes = message.content_bytes();
  report.freed_bytes = message.freed_bytes();
  report.deferred = message.deferred();
  report.untagged = message.untagged();
  report.skipped = message.skipped();
  report.deferred_until_nanos = NanosOrZero(message.has_deferred_until(), message.deferred_until());
  report.deferred_bytes = message.deferred_bytes();
  return report;
}

absl::StatusOr<PruneStep> FromMessage(const v1::PruneResponse& message) {
  PruneStep step;
  if (message.has_image()) {
    step.kind = PruneStep::Kind::kRemoved;
    ASSIGN_OR_RETURN(step.image, FromMessage(message.image()));
    step.untagged.assign(message.untagged().begin(), message.untagged().end());
  } else if (message.has_kept()) {
    const v1::PruneResponse::Kept& kept = message.kept();
    step.kind = kept.has_until() ? PruneStep::Kind::kDeferred : PruneStep::Kind::kSkipped;
    ASSIGN_OR_RETURN(step.image, FromMessage(kept.image()));
    step.reason = kept.reason();
    step.until_nanos = NanosOrZero(kept.has_until(), kept.until());
  } else if (message.has_looked_at()) {
    step.kind = PruneStep::Kind::kQueued;
    step.looked_at = message.looked_at();
  } else {
    step.kind = message.job().empty() ? PruneStep::Kind::kQueued : PruneStep::Kind::kStarted;
    step.job = message.job();
  }
  return step;
}

namespace {

PruneJob::State FromMessage(v1::PruneJob::State state) {
  switch (state) {
    case v1::PruneJob::RUNNING:
      return PruneJob::State::kRunning;
    case v1::PruneJob::DONE:
      return PruneJob::State::kDone;
    case v1::PruneJob::CANCELLED:
      return PruneJob::State::kCancelled;
    default:
      return PruneJob::State::kQueued;
  }
}

}  // namespace

PruneJob FromMessage(const v1::PruneJob& message) {
  PruneJob job;
  job.id = message.id();
  job.request.filters.assign(message.request().filters().begin(),
                             message.request().filters().end());
  job.request.all = message.request().all();
  job.request.now = message.request().now();
  job.state = FromMessage(message.state());
  job.queued_nanos = Nanos(message.queued());
  job.started_nanos = NanosOrZero(message.has_started(), message.started());
  job.ended_nanos = NanosOrZero(message.has_ended(), message.ended());
  job.report = FromMessage(message.report());
  job.error = message.error();
  job.callers = static_cast<int>(message.callers());
  return job;
}

absl::StatusOr<KeeperReport> FromMessage(const v1::ExplainResponse& message) {
  KeeperReport report;
  ASSIGN_OR_RETURN(report.digest, Digest::Parse(message.digest()));
  report.complete = !message.truncated();
  report.dangling = message.dangling();
  report.prune_takes = message.prune_takes();
  report.prune_all_takes = message.prune_all_takes();
  for (const v1::ExplainResponse::Keeper& in : message.keepers()) {
    const std::optional<Keeper::Kind> kind = FromMessage(in.kind());
    if (!kind.has_value()) continue;
    Keeper keeper;
    keeper.kind = *kind;
    keeper.depth = in.depth();
    keeper.repository = in.repository();
    keeper.name = in.name();
    if (!in.digest().empty()) {
      ASSIGN_OR_RETURN(keeper.manifest, Digest::Parse(in.digest()));
    }
    keeper.since_nanos = NanosOrZero(in.has_since(), in.since());
    keeper.until_nanos = NanosOrZero(in.has_until(), in.until());
    report.keepers.push_back(std::move(keeper));
  }
  return report;
}

}  // namespace varve
