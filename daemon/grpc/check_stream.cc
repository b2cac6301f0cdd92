#include "daemon/grpc/check_stream.h"

#include <chrono>
#include <memory>
#include <utility>

#include "daemon/grpc/work_stream.h"
#include "storage/base/status.h"

namespace varve {
namespace {

constexpr CallKind kCheck{"System.Check", Subject::kName, false};

// Each walks the whole store.
constexpr int kMaxChecks = 2;
// Between two messages that say no more than how far it is.
constexpr std::chrono::milliseconds kProgressInterval{200};

v1::CheckResponse::Finding::Kind ToMessage(CheckFinding::Kind kind) {
  using Message = v1::CheckResponse::Finding;
  switch (kind) {
    case CheckFinding::Kind::kDamagedRow:
      return Message::DAMAGED_ROW;
    case CheckFinding::Kind::kMissingEdge:
      return Message::MISSING_EDGE;
    case CheckFinding::Kind::kEdgeWithoutSource:
      return Message::EDGE_WITHOUT_SOURCE;
    case CheckFinding::Kind::kMissingContent:
      return Message::MISSING_CONTENT;
    case CheckFinding::Kind::kBadContent:
      return Message::BAD_CONTENT;
    case CheckFinding::Kind::kTagWithoutImage:
      return Message::TAG_WITHOUT_IMAGE;
    case CheckFinding::Kind::kMissingRow:
      return Message::MISSING_ROW;
    case CheckFinding::Kind::kOrphanRow:
      return Message::ORPHAN_ROW;
    case CheckFinding::Kind::kNeverEnds:
      return Message::NEVER_ENDS;
    case CheckFinding::Kind::kLiveRemoval:
      return Message::LIVE_REMOVAL;
    case CheckFinding::Kind::kNeverReclaimed:
      return Message::NEVER_RECLAIMED;
    case CheckFinding::Kind::kStrayFile:
      return Message::STRAY_FILE;
    case CheckFinding::Kind::kWrongStatistics:
      return Message::WRONG_STATISTICS;
  }
  return Message::KIND_UNSPECIFIED;
}

void ToMessage(const CheckFinding& finding, v1::CheckResponse::Finding* message) {
  message->set_kind(ToMessage(finding.kind));
  if (finding.digest.has_value()) message->set_digest(finding.digest->ToString());
  message->set_repository(finding.repository);
  message->set_text(finding.text);
}

void ToMessage(const CheckReport& report, v1::CheckResponse::Report* message) {
  message->set_rows(report.rows);
  message->set_manifests(report.manifests);
  message->set_files(report.files);
  message->set_findings(report.findings);
  message->set_hashed_blobs(report.hashed_blobs);
  message->set_hashed_bytes(report.hashed_bytes);
}

class CheckStream final : public WorkStream<v1::CheckResponse> {
 public:
  CheckStream(GrpcDoor& door, const v1::CheckRequest& request, grpc::CallbackServerContext& context)
      : WorkStream(door, context, kCheck, door.checks), content_(request.content()) {}

 private:
  absl::Status Work(v1::CheckResponse* last) override {
    const CheckObserver observer = [this](const CheckStep& step) {
      return !door().feed.stopping() && Tell(step);
    };
    ASSIGN_OR_RETURN(const CheckReport report,
                     content_ ? door().store.CheckContent(observer) : door().store.Check(observer));
    ToMessage(report, last->mutable_report());
    return absl::OkStatus();
  }

  // False when nobody listens any more.
  bool Tell(const CheckStep& step) {
    v1::CheckResponse message;
    if (step.finding.has_value()) {
      ToMessage(*step.finding, message.mutable_finding());
      return Send(std::move(message));
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < kProgressInterval) return !cancelled();
    told_ = now;
    ToMessage(step.so_far, message.mutable_so_far());
    return Send(std::move(message));
  }

  const bool content_;
  std::chrono::steady_clock::time_point told_;  // how far it was
};

}  // namespace

grpc::ServerWriteReactor<v1::CheckResponse>* NewCheckStream(GrpcDoor& door,
                                                            const v1::CheckRequest& request,
                                                            grpc::CallbackServerContext* context) {
  return CheckStream::Start(std::make_shared<CheckStream>(door, request, *context), kMaxChecks);
}

}  // namespace varve
