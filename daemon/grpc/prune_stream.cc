#include "daemon/grpc/prune_stream.h"

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "daemon/grpc/work_stream.h"
#include "proto/convert/prunes.h"
#include "storage/api/pruning.h"
#include "storage/base/status.h"
#include "varve/v1/images.pb.h"

namespace varve {
namespace {

constexpr CallKind kPrune{"Images.Prune", About::kManifest, true};
constexpr CallKind kAttachPrune{"Images.AttachPrune", About::kManifest, true};

constexpr int kMaxPrunes = 4;
constexpr std::chrono::milliseconds kProgressInterval{500};

class PruneStream final : public WorkStream<v1::PruneResponse> {
 public:
  // Runs a prune, or attaches to one, until it ends or the observer says no.
  using Prune = std::function<absl::StatusOr<PruneReport>(const PruneObserver& observer)>;

  PruneStream(GrpcDoor& door, grpc::CallbackServerContext& context, const CallKind& kind,
              bool detach, Prune prune)
      : WorkStream(door, context, kind, door.prunes), detach_(detach), prune_(std::move(prune)) {}

 private:
  absl::Status Work(v1::PruneResponse* last) override {
    ASSIGN_OR_RETURN(const PruneReport report,
                     prune_([this](const PruneStep& step) { return Tell(step); }));
    ToMessage(report, last->mutable_report());
    return absl::OkStatus();
  }

  // False when the prune may end.
  bool Tell(const PruneStep& step) {
    // Its call is over; the daemon is not.
    if (detached()) return !door().feed.stopping();
    if (step.kind == PruneStep::Kind::kQueued && !IsTimeForProgress()) return !cancelled();
    bool taken = true;
    for (v1::PruneResponse& message : ToMessages(step)) taken = taken && Send(std::move(message));
    if (taken && detach_) Detach();
    return taken;
  }

  bool IsTimeForProgress() {
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < kProgressInterval) return false;
    told_ = now;
    return true;
  }

  const bool detach_;
  const Prune prune_;
  // How far it was; a short prune need not say.
  std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

}  // namespace

CallHandler NewPruneHandler(GrpcDoor& door) {
  return NewServerStreamHandler<v1::PruneRequest, v1::PruneResponse>(
      kPrune, [&door](grpc::CallbackServerContext& context, const v1::PruneRequest& request) {
        const bool detach = request.detach() && !request.dry_run();
        const auto prune = [&images = door.store.images,
                            asked = FromMessage(request)](const PruneObserver& observer) {
          return images.Prune(asked, observer);
        };
        return PruneStream::Start(
            std::make_shared<PruneStream>(door, context, kPrune, detach, prune), kMaxPrunes);
      });
}

CallHandler NewAttachPruneHandler(GrpcDoor& door) {
  return NewServerStreamHandler<v1::AttachPruneRequest, v1::PruneResponse>(
      kAttachPrune,
      [&door](grpc::CallbackServerContext& context, const v1::AttachPruneRequest& request) {
        const auto attach = [&images = door.store.images,
                             job = request.job()](const PruneObserver& observer) {
          return images.AttachPrune(job, observer);
        };
        return PruneStream::Start(std::make_shared<PruneStream>(door, context, kAttachPrune,
                                                                /*detach=*/false, attach),
                                  kMaxPrunes);
      });
}

}  // namespace varve
