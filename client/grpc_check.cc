// System.Check.
#include <optional>
#include <utility>

#include "client/error_details.h"
#include "client/grpc_client.h"
#include "proto/convert/system.h"
#include "storage/base/status.h"

namespace varve {
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
  RETURN_IF_ERROR(Unary(*system_, &v1::System::Stub::DropOrphans, v1::DropOrphansRequest(),
                        &response, Deadline::kNone));
  return FromMessage(response);
}

absl::StatusOr<OrphanReport> GrpcClient::AdoptOrphans() {
  v1::OrphansResponse response;
  RETURN_IF_ERROR(Unary(*system_, &v1::System::Stub::AdoptOrphans, v1::AdoptOrphansRequest(),
                        &response, Deadline::kNone));
  return FromMessage(response);
}

}  // namespace varve
