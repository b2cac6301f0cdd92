#include "proto/convert/prunes.h"

#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "proto/convert/images.h"
#include "proto/convert/values.h"
#include "storage/base/status.h"

namespace varve {
namespace {

constexpr std::pair<PruneJob::State, v1::PruneJob::State> kStates[] = {
    {PruneJob::State::kQueued, v1::PruneJob::QUEUED},
    {PruneJob::State::kRunning, v1::PruneJob::RUNNING},
    {PruneJob::State::kDone, v1::PruneJob::DONE},
    {PruneJob::State::kCancelled, v1::PruneJob::CANCELLED},
};
static_assert(std::size(kStates) == v1::PruneJob::State_ARRAYSIZE - 1);

constexpr std::pair<Keeper::Kind, v1::ExplainResponse::Keeper::Kind> kKeeperKinds[] = {
    {Keeper::Kind::kTag, v1::ExplainResponse::Keeper::TAG},
    {Keeper::Kind::kHold, v1::ExplainResponse::Keeper::HOLD},
    {Keeper::Kind::kLease, v1::ExplainResponse::Keeper::LEASE},
    {Keeper::Kind::kManifest, v1::ExplainResponse::Keeper::MANIFEST},
    {Keeper::Kind::kSubject, v1::ExplainResponse::Keeper::SUBJECT},
    {Keeper::Kind::kMember, v1::ExplainResponse::Keeper::MEMBER},
    {Keeper::Kind::kPromise, v1::ExplainResponse::Keeper::PROMISE},
};
static_assert(std::size(kKeeperKinds) == v1::ExplainResponse::Keeper::Kind_ARRAYSIZE - 1);

void ToMessage(const Keeper& keeper, v1::ExplainResponse::Keeper* message) {
  message->set_kind(ToMessage(kKeeperKinds, keeper.kind));
  message->set_depth(static_cast<uint32_t>(keeper.depth));
  message->set_repository(keeper.repository);
  message->set_name(keeper.name);
  const bool names_manifest =
      keeper.kind == Keeper::Kind::kManifest || keeper.kind == Keeper::Kind::kSubject;
  if (names_manifest) message->set_digest(keeper.manifest.ToString());
  if (keeper.since_nanos != 0) varve::ToMessage(keeper.since_nanos, message->mutable_since());
  if (keeper.until_nanos != 0) varve::ToMessage(keeper.until_nanos, message->mutable_until());
}

absl::StatusOr<Keeper> FromMessage(const v1::ExplainResponse::Keeper& message, Keeper::Kind kind) {
  Keeper keeper;
  keeper.kind = kind;
  keeper.depth = message.depth();
  keeper.repository = message.repository();
  keeper.name = message.name();
  if (!message.digest().empty()) {
    ASSIGN_OR_RETURN(keeper.manifest, Digest::Parse(message.digest()));
  }
  keeper.since_nanos = Nanos(message.since());
  keeper.until_nanos = Nanos(message.until());
  return keeper;
}

}  // namespace

void ToMessage(const PruneRequest& request, v1::PruneRequest* message) {
  for (const std::string& filter : request.filters) message->add_filters(filter);
  message->set_dry_run(request.dry_run);
  message->set_all(request.all);
  message->set_now(request.now);
}

PruneRequest FromMessage(const v1::PruneRequest& message) {
  PruneRequest request;
  request.filters.assign(message.filters().begin(), message.filters().end());
  request.dry_run = message.dry_run();
  request.all = message.all();
  request.now = message.now();
  return request;
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

PruneReport FromMessage(const v1::PruneResponse::Report& message) {
  PruneReport report;
  report.images = message.images();
  report.content_bytes = message.content_bytes();
  report.freed_bytes = message.freed_bytes();
  report.deferred = message.deferred();
  report.untagged = message.untagged();
  report.skipped = message.skipped();
  report.deferred_until_nanos = Nanos(message.deferred_until());
  report.deferred_bytes = message.deferred_bytes();
  return report;
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
    step.until_nanos = Nanos(kept.until());
  } else if (message.has_looked_at()) {
    step.kind = PruneStep::Kind::kQueued;
    step.looked_at = message.looked_at();
  } else {
    step.kind = message.job().empty() ? PruneStep::Kind::kQueued : PruneStep::Kind::kStarted;
    step.job = message.job();
  }
  return step;
}

void ToMessage(const PruneJob& job, v1::PruneJob* message) {
  message->set_id(job.id);
  ToMessage(job.request, message->mutable_request());
  message->set_state(ToMessage(kStates, job.state));
  ToMessage(job.queued_nanos, message->mutable_queued());
  if (job.started_nanos != 0) ToMessage(job.started_nanos, message->mutable_started());
  if (job.ended_nanos != 0) ToMessage(job.ended_nanos, message->mutable_ended());
  ToMessage(job.report, message->mutable_report());
  message->set_error(job.error);
  message->set_callers(static_cast<uint32_t>(job.callers));
}

PruneJob FromMessage(const v1::PruneJob& message) {
  PruneJob job;
  job.id = message.id();
  job.request = FromMessage(message.request());
  job.state = FromMessage(kStates, message.state()).value_or(PruneJob::State::kQueued);
  job.queued_nanos = Nanos(message.queued());
  job.started_nanos = Nanos(message.started());
  job.ended_nanos = Nanos(message.ended());
  job.report = FromMessage(message.report());
  job.error = message.error();
  job.callers = static_cast<int>(message.callers());
  return job;
}

void ToMessage(const KeeperReport& report, v1::ExplainResponse* message) {
  message->set_digest(report.digest.ToString());
  message->set_truncated(!report.complete);
  message->set_dangling(report.dangling);
  message->set_prune_takes(report.prune_takes);
  message->set_prune_all_takes(report.prune_all_takes);
  for (const Keeper& keeper : report.keepers) ToMessage(keeper, message->add_keepers());
}

absl::StatusOr<KeeperReport> FromMessage(const v1::ExplainResponse& message) {
  KeeperReport report;
  ASSIGN_OR_RETURN(report.digest, Digest::Parse(message.digest()));
  report.complete = !message.truncated();
  report.dangling = message.dangling();
  report.prune_takes = message.prune_takes();
  report.prune_all_takes = message.prune_all_takes();
  for (const v1::ExplainResponse::Keeper& in : message.keepers()) {
    const std::optional<Keeper::Kind> kind = FromMessage(kKeeperKinds, in.kind());
    if (!kind.has_value()) continue;
    ASSIGN_OR_RETURN(Keeper keeper, FromMessage(in, *kind));
    report.keepers.push_back(std::move(keeper));
  }
  return report;
}

}  // namespace varve
