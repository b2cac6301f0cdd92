// The steps that scenarios are made of.
#include "storage/api/claims.h"
#include "storage/api/pruning.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"
#include "tests/crash/scenario.h"

namespace varve {
namespace {

void Nothing(Model&) {}

Step InStages(std::string name, std::function<absl::Status(CrashingStore&)> act,
              std::vector<std::function<void(Model&)>> stages) {
  const auto effect = [stages](Model& model) {
    for (const auto& stage : stages) stage(model);
  };
  return {std::move(name), std::move(act), effect, std::move(stages)};
}

// The part of `bytes` that piece `number` of `count` covers.
std::string_view Piece(std::string_view bytes, size_t number, size_t count) {
  const size_t begin = bytes.size() * number / count;
  return bytes.substr(begin, bytes.size() * (number + 1) / count - begin);
}

absl::Status Begin(CrashingStore& crashing, const std::string& repository, const std::string& id) {
  ASSIGN_OR_RETURN(
      crashing.uploads()[id],
      crashing.store().blobs.BeginUpload(repository, {.id = id, .size_bytes = {}, .client = {}}));
  return absl::OkStatus();
}

absl::Status Append(CrashingStore& crashing, const std::string& id, std::string_view bytes) {
  OpenUpload& upload = *crashing.uploads().at(id);
  return upload.Append(upload.status().offset_bytes, bytes);
}

}  // namespace

void Scenario::Push(const std::string& repository, const TestBlob& blob) {
  contents.Add(blob);
  contents.repositories.insert(repository);
  steps.push_back(
      {StrCat("push ", blob.bytes.size(), " bytes to ", repository),
       [=](CrashingStore& crashing) { return PushBlob(crashing.store().blobs, repository, blob); },
       [=](Model& model) { model.PushBlob(repository, blob.digest); }});
}

void Scenario::PushInPieces(const std::string& repository, const TestBlob& blob, size_t pieces,
                            bool resumed) {
  contents.Add(blob);
  contents.repositories.insert(repository);
  const std::string id = StrCat("upload-", steps.size());
  steps.push_back({StrCat("begin ", id),
                   [=](CrashingStore& crashing) { return Begin(crashing, repository, id); },
                   Nothing});
  for (size_t piece = 0; piece < pieces; ++piece) {
    steps.push_back({StrCat("append piece ", piece, " of ", id),
                     [=](CrashingStore& crashing) {
                       return Append(crashing, id, Piece(blob.bytes, piece, pieces));
                     },
                     Nothing});
    steps.push_back({StrCat("checkpoint ", id),
                     [=](CrashingStore& crashing) -> absl::Status {
                       RETURN_IF_ERROR(crashing.uploads().at(id)->Checkpoint());
                       if (!resumed) return absl::OkStatus();
                       crashing.uploads().erase(id);
                       ASSIGN_OR_RETURN(crashing.uploads()[id],
                                        crashing.store().blobs.ResumeUpload(repository, id));
                       return absl::OkStatus();
                     },
                     Nothing});
  }
  steps.push_back({StrCat("commit ", id),
                   [=](CrashingStore& crashing) {
                     return crashing.uploads().at(id)->Commit(blob.digest, {}).status();
                   },
                   [=](Model& model) { model.PushBlob(repository, blob.digest); }});
}

void Scenario::BeginAndAbort(const std::string& repository, const TestBlob& blob) {
  contents.Add(blob);
  contents.repositories.insert(repository);
  const std::string id = StrCat("aborted-", steps.size());
  steps.push_back({StrCat("begin and abort ", id),
                   [=](CrashingStore& crashing) -> absl::Status {
                     RETURN_IF_ERROR(Begin(crashing, repository, id));
                     RETURN_IF_ERROR(Append(crashing, id, blob.bytes));
                     RETURN_IF_ERROR(crashing.uploads().at(id)->Checkpoint());
                     return crashing.uploads().at(id)->Abort();
                   },
                   Nothing});
}

void Scenario::BeginAndLeave(const std::string& repository, const TestBlob& blob) {
  contents.Add(blob);
  contents.repositories.insert(repository);
  const std::string id = StrCat("left-", steps.size());
  steps.push_back({StrCat("begin and leave ", id),
                   [=](CrashingStore& crashing) -> absl::Status {
                     RETURN_IF_ERROR(Begin(crashing, repository, id));
                     RETURN_IF_ERROR(Append(crashing, id, blob.bytes));
                     RETURN_IF_ERROR(crashing.uploads().at(id)->Checkpoint());
                     crashing.uploads().erase(id);
                     return absl::OkStatus();
                   },
                   Nothing});
}

void Scenario::Put(const std::string& repository, const TestManifest& manifest,
                   const std::vector<std::string>& tags) {
  contents.Add(manifest);
  contents.repositories.insert(repository);
  steps.push_back({StrCat("put manifest ", manifest.digest.ToString().substr(0, 19)),
                   [=](CrashingStore& crashing) {
                     return PutManifest(crashing.store().manifests, repository, manifest, tags);
                   },
                   [=](Model& model) { model.PutManifest(repository, manifest, tags); }});
}

void Scenario::Tag(const std::string& repository, const std::string& tag,
                   const TestManifest& manifest) {
  steps.push_back({StrCat("tag ", repository, ":", tag),
                   [=](CrashingStore& crashing) {
                     return crashing.store().manifests.Tag(repository, tag, manifest.digest);
                   },
                   [=](Model& model) { model.Tag(repository, tag, manifest.digest); }});
}

void Scenario::Untag(const std::string& repository, const std::string& tag) {
  steps.push_back({StrCat("untag ", repository, ":", tag),
                   [=](CrashingStore& crashing) {
                     return crashing.store().manifests.Untag(repository, tag, false);
                   },
                   [=](Model& model) { model.Untag(repository, tag); }});
}

void Scenario::Mount(const std::string& repository, const TestBlob& blob, const std::string& from) {
  contents.repositories.insert(repository);
  steps.push_back(
      {StrCat("mount a blob of ", from, " in ", repository),
       [=](CrashingStore& crashing) {
         return crashing.store().blobs.MountBlob(repository, blob.digest, from).status();
       },
       [=](Model& model) { model.PushBlob(repository, blob.digest); }});
}

void Scenario::DeleteBlob(const std::string& repository, const TestBlob& blob) {
  steps.push_back({StrCat("delete a blob of ", blob.bytes.size(), " bytes from ", repository),
                   [=](CrashingStore& crashing) {
                     return crashing.store().blobs.DeleteBlob(repository, blob.digest);
                   },
                   [=](Model& model) { model.DeleteBlob(repository, blob.digest); }});
}

void Scenario::DeleteManifest(const std::string& repository, const TestManifest& manifest) {
  steps.push_back({StrCat("delete manifest ", manifest.digest.ToString().substr(0, 19)),
                   [=](CrashingStore& crashing) {
                     return crashing.store().manifests.DeleteManifest(repository, manifest.digest);
                   },
                   [=](Model& model) { model.DeleteManifest(repository, manifest.digest); }});
}

void Scenario::TagFrom(const std::string& from, const TestManifest& manifest,
                       const std::vector<TestManifest>& children, const std::string& repository,
                       const std::string& tag) {
  contents.repositories.insert(repository);
  std::vector<std::function<void(Model&)>> stages;
  for (const TestManifest& child : children) {
    stages.emplace_back([=](Model& model) { model.PutManifest(repository, child, {}); });
  }
  stages.emplace_back([=](Model& model) { model.PutManifest(repository, manifest, {tag}); });
  steps.push_back(InStages(
      StrCat("tag an image of ", from, " as ", repository, ":", tag),
      [=](CrashingStore& crashing) {
        return crashing.store().images.TagFrom(from, manifest.digest, repository, tag);
      },
      std::move(stages)));
}

void Scenario::RemoveTag(const std::string& repository, const std::string& tag,
                         const std::vector<TestManifest>& deleted) {
  std::vector<std::function<void(Model&)>> stages;
  for (const TestManifest& manifest : deleted) {
    stages.emplace_back([=](Model& model) { model.DeleteManifest(repository, manifest.digest); });
  }
  if (deleted.empty()) {
    stages.emplace_back([=](Model& model) { model.Untag(repository, tag); });
  }
  steps.push_back(InStages(
      StrCat("rmi ", repository, ":", tag),
      [=](CrashingStore& crashing) -> absl::Status {
        const absl::StatusOr<RemovedImage> removed =
            crashing.store().images.RemoveImage(StrCat(repository, ":", tag), false);
        RETURN_IF_ERROR(removed.status());
        return removed->deleted.size() == deleted.size()
                   ? absl::OkStatus()
                   : absl::InternalError(StrCat("rmi removed ", removed->deleted.size(),
                                                " images instead of ", deleted.size()));
      },
      std::move(stages)));
}

void Scenario::Prune(const std::string& repository, const std::vector<TestManifest>& dangling) {
  std::vector<std::function<void(Model&)>> stages;
  for (const TestManifest& manifest : dangling) {
    stages.emplace_back([=](Model& model) { model.DeleteManifest(repository, manifest.digest); });
  }
  stages.emplace_back([](Model& model) { model.Reclaim(); });
  steps.push_back(InStages(
      "prune",
      [=](CrashingStore& crashing) -> absl::Status {
        const absl::StatusOr<PruneReport> report = crashing.store().images.Prune({}, nullptr);
        RETURN_IF_ERROR(report.status());
        return report->images == dangling.size()
                   ? absl::OkStatus()
                   : absl::InternalError(StrCat("prune removed ", report->images,
                                                " images instead of ", dangling.size()));
      },
      std::move(stages)));
}

void Scenario::Hold(const std::string& hold, const std::string& repository,
                    const TestManifest& manifest) {
  steps.push_back(
      {StrCat("hold ", hold),
       [=](CrashingStore& crashing) {
         return crashing.store().claims.CreateHold({hold, repository, manifest.digest, 0}).status();
       },
       [=](Model& model) { model.Hold(hold, manifest.digest); }});
}

void Scenario::ReleaseHold(const std::string& hold) {
  steps.push_back(
      {StrCat("release ", hold),
       [=](CrashingStore& crashing) { return crashing.store().claims.ReleaseHold(hold); },
       [=](Model& model) { model.ReleaseHold(hold); }});
}

void Scenario::Lease(const std::string& id, const std::vector<Digest>& digests) {
  LeaseRequest request;
  request.id = id;
  request.ttl_nanos = kMaxLeaseNanos;
  steps.push_back({StrCat("lease ", id),
                   [=](CrashingStore& crashing) {
                     return crashing.store().claims.CreateLease(request).status();
                   },
                   [=](Model& model) { model.Lease(id, {}); }});
  steps.push_back({StrCat("attach to ", id),
                   [=](CrashingStore& crashing) {
                     return crashing.store().claims.AttachToLease(id, digests).status();
                   },
                   [=](Model& model) { model.Lease(id, digests); }});
}

void Scenario::DeleteLease(const std::string& id) {
  steps.push_back({StrCat("delete lease ", id),
                   [=](CrashingStore& crashing) { return crashing.store().claims.DeleteLease(id); },
                   [=](Model& model) { model.DeleteLease(id); }});
}

void Scenario::Reclaim() {
  steps.push_back(
      {"reclaim",
       [](CrashingStore& crashing) { return crashing.store().system.Reclaim().status(); },
       [](Model& model) { model.Reclaim(); }});
}

void Scenario::Wait(int64_t nanos) {
  steps.push_back({"time passes",
                   [=](CrashingStore& crashing) {
                     crashing.clock().Advance(nanos);
                     return absl::OkStatus();
                   },
                   Nothing});
}

void Scenario::Restart() {
  steps.push_back({"restart",
                   [](CrashingStore& crashing) -> absl::Status {
                     crashing.uploads().clear();
                     RETURN_IF_ERROR(crashing.store().system.CheckpointUploads());
                     crashing.Close();
                     return crashing.Open();
                   },
                   Nothing});
}

}  // namespace varve
