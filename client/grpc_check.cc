// System.Check.
#include <optional>
#include <utility>

#include "client/error_details.h"
#include "client/grpc_client.h"
#include "client/messages.h"
#include "storage/base/status.h"

namespace varve {
namespace {

CheckFinding::Kind FromMessage(v1::CheckResponse::Finding::Kind kind) {
  using Message = v1::CheckResponse::Finding;
  switch (kind) {
    case Message::MISSING_EDGE:
      return CheckFinding::Kind::kMissingEdge;
    case Message::EDGE_WITHOUT_SOURCE:
      return CheckFinding::Kind::kEdgeWithoutSource;
    case Message::MISSING_CONTENT:
      return CheckFinding::Kind::kMissingContent;
    case Message::BAD_CONTENT:
      return CheckFinding::Kind::kBadContent;
    case Message::TAG_WITHOUT_IMAGE:
      return CheckFinding::Kind::kTagWithoutImage;
    case Message::MISSING_ROW:
      return CheckFinding::Kind::kMissingRow;
    case Message::ORPHAN_ROW:
      return CheckFinding::Kind::kOrphanRow;
    case Message::NEVER_ENDS:
      return CheckFinding::Kind::kNeverEnds;
    case Message::LIVE_REMOVAL:
      return CheckFinding::Kind::kLiveRemoval;
    case Message::NEVER_RECLAIMED:
      return CheckFinding::Kind::kNeverReclaimed;
    case Message::STRAY_FILE:
      return CheckFinding::Kind::kStrayFile;
    case Message::WRONG_STATISTICS:
      return CheckFinding::Kind::kWrongStatistics;
    case Message::TWO_NAMES:
      return CheckFinding::Kind::kTwoNames;
    default:
      return CheckFinding::Kind::kDamagedRow;  // also what a newer daemon tells apart
  }
}

absl::StatusOr<CheckFinding> FromMessage(const v1::CheckResponse::Finding& message) {
  CheckFinding finding;
  finding.kind = FromMessage(message.kind());
  if (!message.digest().empty()) {
    ASSIGN_OR_RETURN(finding.digest, Digest::Parse(message.digest()));
  }
  finding.repository = message.repository();
  finding.text = message.text();
  return finding;
}

CheckReport FromMessage(const v1::CheckResponse::Report& message) {
  return {message.rows(),     message.manifests(),    message.files(),
          message.findings(), message.hashed_blobs(), message.hashed_bytes()};
}

OrphanReport FromMessage(const v1::OrphansResponse& message) {
  return {message.adopted(),    message.adopted_bytes(), message.kept(),
          message.kept_bytes(), message.removed(),       message.removed_bytes(),
          message.failed(),     message.failed_bytes(),  message.problem()};
}

}  // namespace

absl::StatusOr<CheckReport> GrpcClient::Check(const CheckObserver& observer) {
  return RunCheck(v1::CheckRequest(), observer);
}

absl::StatusOr<CheckReport> GrpcClient::CheckContent(const CheckObserver& observer) {
  v1::CheckRequest request;
  request.set_content(true);
  return RunCheck(request, observer);
}

absl::StatusOr<CheckReport> GrpcClient::RunCheck(const v1::CheckRequest& request,
                                                 const CheckObserver& observer) {
  // No deadline: it works as long as the store is large, and shows that it does.
  grpc::ClientContext context;
  const auto stream = system_->Check(&context, request);
  std::optional<CheckReport> report;
  CheckStep step;
  bool wanted = true;
  for (v1::CheckResponse message; stream->Read(&message);) {
    if (message.has_report()) {
      report = FromMessage(message.report());
      continue;
    }
    if (!wanted) continue;
    step.finding.reset();
    if (message.has_finding()) {
      absl::StatusOr<CheckFinding> finding = FromMessage(message.finding());
      if (!finding.ok()) {
        context.TryCancel();
        return finding.status();
      }
      step.finding = *std::move(finding);
      if (step.finding->kind != CheckFinding::Kind::kTwoNames) ++step.so_far.findings;
    } else {
      step.so_far = FromMessage(message.so_far());
    }
    wanted = observer == nullptr || observer(step);
    if (!wanted) context.TryCancel();
  }
  RETURN_IF_ERROR(FromGrpc(stream->Finish(), context));
  if (!report.has_value()) return absl::UnavailableError("the daemon ended without a report");
  return *report;
}

absl::StatusOr<OrphanReport> GrpcClient::DropOrphans() {
  v1::OrphansResponse response;
  RETURN_IF_ERROR(Unary(
      [&](grpc::ClientContext* context) {
        return system_->DropOrphans(context, v1::DropOrphansRequest(), &response);
      },
      Deadline::kNone));
  return FromMessage(response);
}

absl::StatusOr<OrphanReport> GrpcClient::AdoptOrphans() {
  v1::OrphansResponse response;
  RETURN_IF_ERROR(Unary(
      [&](grpc::ClientContext* context) {
        return system_->AdoptOrphans(context, v1::AdoptOrphansRequest(), &response);
      },
      Deadline::kNone));
  return FromMessage(response);
}

}  // namespace varve
