#include "tests/crash/replay.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

#include "storage/api/claims.h"
#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "storage/base/bytes.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/counter.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr int64_t kAllExpired = 72 * 3600 * kNanosPerSecond;
constexpr int kReclaimRounds = 4;
constexpr char kAfterwards[] = "afterwards";

const char* NameOf(Survival survival) {
  switch (survival) {
    case Survival::kOnlySynced:
      return "only what was synced";
    case Survival::kEverything:
      return "everything (the process died)";
    case Survival::kRandom:
      return "some of what was not synced";
  }
  return "";
}

absl::StatusOr<std::string> ReadFile(FileSystem& file_system, const std::string& path) {
  ASSIGN_OR_RETURN(const FileStat stat, file_system.Stat(path));
  BlobReader reader;
  reader.info.size_bytes = stat.size_bytes;
  ASSIGN_OR_RETURN(reader.bytes, file_system.OpenForRead(path));
  return ReadWhole(reader);
}

FileId IdOf(const std::string& path) {
  return std::strtoull(path.c_str() + path.rfind('/') + 1, nullptr, 16);
}

// What the rows of a closed store say about the files under blobs/.
struct FileRows {
  std::map<FileId, Digest> named;
  std::set<FileId> awaited;  // of resumable uploads, or on their way out
  FileId low_water = 1;
};

absl::StatusOr<FileRows> ReadFileRows(const std::vector<KeyValue>& rows) {
  FileRows result;
  for (const KeyValue& row : rows) {
    const char table = row.key.front();
    ByteReader key(std::string_view(row.key).substr(1));
    if (table == FileKey(0).front()) {
      std::string_view owner = row.value;
      if (!Digest::ConsumeKey(&owner, &result.named[key.U64()])) {
        return absl::DataLossError("a file row is damaged");
      }
    } else if (table == RemovingKey(0).front()) {
      result.awaited.insert(key.U64());
    } else if (table == UploadKey("").front()) {
      ASSIGN_OR_RETURN(const UploadRow upload, UploadRow::Decode(row.value));
      if (upload.file != 0) result.awaited.insert(upload.file);
    } else if (row.key == MetaKey("low_water")) {
      ASSIGN_OR_RETURN(result.low_water, DecodeNumber(row.value));
    }
  }
  return result;
}

// Of a blob or a manifest; null when the scenario has no such content.
const std::string* BytesOf(const Contents& contents, const Digest& digest) {
  const auto blob = contents.blobs.find(digest);
  if (blob != contents.blobs.end()) return &blob->second;
  const auto manifest = contents.manifests.find(digest);
  return manifest != contents.manifests.end() ? &manifest->second.bytes : nullptr;
}

// Before anything recovers: a file that a row names has the bytes of its digest, and a file that no
// row names lies where recovery looks for it.
void CheckFilesAgainstRows(CrashingStore& crashing, const Contents& contents,
                           std::vector<std::string>* violations) {
  if (!crashing.disk().Stat(StrCat(kIndexDirectory, "/CURRENT")).ok()) return;
  const absl::StatusOr<std::vector<KeyValue>> rows = crashing.IndexRows();
  const absl::StatusOr<FileRows> files =
      rows.ok() ? ReadFileRows(*rows) : absl::StatusOr<FileRows>(rows.status());
  if (!files.ok()) {
    violations->push_back(StrCat("the index is damaged: ", files.status().ToString()));
    return;
  }
  std::set<FileId> missing;
  for (const auto& [file, digest] : files->named) missing.insert(file);
  for (const std::string& path : crashing.BlobFilesOnDisk()) {
    const FileId file = IdOf(path);
    missing.erase(file);
    const auto named = files->named.find(file);
    if (named == files->named.end()) {
      if (file < files->low_water && !files->awaited.contains(file)) {
        violations->push_back(StrCat("nothing will ever find ", path));
      }
      continue;
    }
    const absl::StatusOr<std::string> bytes = ReadFile(crashing.disk(), path);
    const std::string* expected = BytesOf(contents, named->second);
    if (!bytes.ok() || expected == nullptr || *bytes != *expected) {
      violations->push_back(StrCat("a row names ", path, ", which has other bytes"));
    }
  }
  for (const FileId file : missing) {
    violations->push_back(StrCat("a row names file ", file, ", which is not there"));
  }
}

// One replay; collects what is wrong.
class Replayer {
 public:
  Replayer(const Scenario& scenario, const Cut& cut, const Sabotage& sabotage)
      : scenario_(scenario),
        cut_(cut),
        contents_(scenario.contents),
        random_(cut.seed),
        crashing_(sabotage) {
    contents_.repositories.insert(kAfterwards);
    for (const TestBlob& blob : {config_, layer_}) contents_.Add(blob);
    contents_.Add(image_);
  }

  std::vector<std::string> Run() {
    RunUntilCut();
    crashing_.PowerCycle(cut_.survival, random_.Next());
    if (violations_.empty()) CheckFilesAgainstRows(crashing_, contents_, &violations_);
    if (cut_.again && violations_.empty()) CrashAgain();
    if (violations_.empty()) Open("after the power cut");
    if (violations_.empty()) CompareAfterCut();
    if (violations_.empty()) CheckSound();
    if (violations_.empty()) GoOn();
    if (violations_.empty()) RemoveEverything();
    return std::move(violations_);
  }

 private:
  void Violation(std::string what) { violations_.push_back(std::move(what)); }

  void Open(std::string_view when) {
    const absl::Status opened = crashing_.Open();
    if (!opened.ok()) Violation(StrCat("does not open ", when, ": ", opened.ToString()));
  }

  void RunUntilCut() {
    crashing_.disk().CutPowerAfter(cut_.calls, cut_.tear);
    const absl::Status opened = crashing_.Open();
    if (!opened.ok()) {
      if (crashing_.disk().powered()) Open("at first");
      return;
    }
    for (const Step& step : scenario_.steps) {
      const absl::Status done = step.act(crashing_);
      if (done.ok()) {
        step.effect(model_);
        continue;
      }
      if (crashing_.disk().powered()) {
        Violation(StrCat("step \"", step.name, "\" failed: ", done.ToString()));
      }
      pending_ = {model_};
      for (const auto& stage : step.stages) {
        pending_.push_back(pending_.back());
        stage(pending_.back());
      }
      if (step.stages.empty()) step.effect(pending_.back());
      pending_step_ = step.name;
      return;
    }
  }

  // Loses the power while the store recovers, or in the first push after that.
  void CrashAgain() {
    crashing_.disk().CutPowerAfter(random_.Below(40));
    const absl::Status opened = crashing_.Open();
    if (!opened.ok() && crashing_.disk().powered()) {
      Violation(StrCat("does not open after the first power cut: ", opened.ToString()));
      return;
    }
    if (opened.ok()) {
      const bool pushed = PushBlob(crashing_.store().blobs, kAfterwards, layer_).ok();
      if (pushed) model_.PushBlob(kAfterwards, layer_.digest);
      for (Model& pending : pending_) {
        if (pushed) pending.PushBlob(kAfterwards, layer_.digest);
      }
      pushed_pending_ = !pushed;
    }
    crashing_.PowerCycle(cut_.survival, random_.Next());
  }

  // The store matches the model without the call that the cut hit, with it, or with some stages.
  void CompareAfterCut() {
    std::vector<Model> candidates = {model_};
    candidates.insert(candidates.end(), pending_.begin(), pending_.end());
    if (pushed_pending_) {
      for (size_t i = 0, count = candidates.size(); i < count; ++i) {
        candidates.push_back(candidates[i]);
        candidates.back().PushBlob(kAfterwards, layer_.digest);
      }
    }
    std::vector<std::string> first;
    for (const Model& candidate : candidates) {
      std::vector<std::string> differences = candidate.Differences(crashing_.store(), contents_);
      if (differences.empty()) {
        model_ = candidate;
        return;
      }
      if (first.empty()) first = std::move(differences);
    }
    if (!pending_step_.empty()) Violation(StrCat("(while \"", pending_step_, "\")"));
    for (std::string& difference : first) Violation(std::move(difference));
  }

  // What must be alive is kept, and nothing else for ever.
  void CheckSound() {
    const absl::StatusOr<CheckReport> report =
        crashing_.store().system.Check([this](const CheckStep& step) {
          if (step.finding.has_value()) Violation(StrCat("a check: ", step.finding->text));
          return true;
        });
    if (!report.ok()) Violation(StrCat("a check: ", report.status().ToString()));
  }

  void GoOn() {
    absl::Status status = PushBlob(crashing_.store().blobs, kAfterwards, config_);
    status.Update(PushBlob(crashing_.store().blobs, kAfterwards, layer_));
    status.Update(PutManifest(crashing_.store().manifests, kAfterwards, image_, {"latest"}));
    if (!status.ok()) {
      Violation(StrCat("takes no image afterwards: ", status.ToString()));
      return;
    }
    model_.PushBlob(kAfterwards, config_.digest);
    model_.PushBlob(kAfterwards, layer_.digest);
    model_.PutManifest(kAfterwards, image_, {"latest"});
    crashing_.PowerCycle(Survival::kOnlySynced, random_.Next());
    Open("for the last time");
    if (!violations_.empty()) return;
    for (std::string& difference : model_.Differences(crashing_.store(), contents_)) {
      Violation(StrCat("at the end: ", difference));
    }
    CheckSound();
  }

  void RemoveEverything() {
    EndClaims();
    for (const std::string& repository : contents_.repositories) DeleteManifests(repository);
    for (int round = 0; round < kReclaimRounds; ++round) {
      crashing_.clock().Advance(kAllExpired);
      const absl::StatusOr<ReclaimReport> report = crashing_.store().system.Reclaim();
      if (!report.ok()) Violation(StrCat("reclaim: ", report.status().ToString()));
    }
    crashing_.Close();
    for (const std::string& file : crashing_.BlobFilesOnDisk()) {
      Violation(StrCat("leaked file ", file));
    }
    CheckNoRowLeft();
  }

  // What a tagged index lists goes after it, whatever the order of their digests.
  void DeleteManifests(const std::string& repository) {
    std::vector<Digest> left;
    for (const auto& [digest, manifest] : contents_.manifests) left.push_back(digest);
    for (bool progress = true; progress && !left.empty();) {
      std::vector<Digest> refused;
      for (const Digest& digest : left) {
        const absl::Status deleted = crashing_.store().manifests.DeleteManifest(repository, digest);
        if (absl::IsFailedPrecondition(deleted)) {
          refused.push_back(digest);
        } else if (!deleted.ok() && !absl::IsNotFound(deleted)) {
          Violation(StrCat("delete: ", deleted.ToString()));
        }
      }
      progress = refused.size() < left.size();
      left = std::move(refused);
    }
    if (!left.empty()) Violation(StrCat(left.size(), " manifests could not be deleted"));
  }

  // Holds are released; leases end by themselves.
  void EndClaims() {
    const absl::StatusOr<Page<HoldInfo>> holds =
        crashing_.store().claims.ListHolds({.after = "", .limit = kMaxPageRows});
    if (!holds.ok()) {
      Violation(StrCat("holds cannot be listed: ", holds.status().ToString()));
      return;
    }
    for (const HoldInfo& hold : holds->rows) {
      const absl::Status released = crashing_.store().claims.ReleaseHold(hold.name);
      if (!released.ok()) Violation(StrCat("release: ", released.ToString()));
    }
    crashing_.clock().Advance(kAllExpired);
    const absl::StatusOr<ReclaimReport> report = crashing_.store().system.Reclaim();
    if (!report.ok()) Violation(StrCat("reclaim: ", report.status().ToString()));
  }

  void CheckNoRowLeft() {
    const absl::StatusOr<std::vector<KeyValue>> rows = crashing_.IndexRows();
    if (!rows.ok()) {
      Violation(StrCat("the index cannot be read: ", rows.status().ToString()));
      return;
    }
    for (const KeyValue& row : *rows) {
      const char table = row.key.front();
      if (table == MetaKey("").front() || table == CommitTokenKey(0).front()) continue;
      // Repositories stay, with their names.
      if (table == RepositoryKey("").front() || table == RepositoryNameKey(0).front()) continue;
      if (table != CounterKey("").front()) {
        Violation(StrCat("leaked a row of table ", std::string(1, table)));
      } else if (DecodeCounter(row.value) != 0) {
        Violation(StrCat("counter ", row.key.substr(1), " ends at ", DecodeCounter(row.value)));
      }
    }
  }

  const Scenario& scenario_;
  const Cut cut_;
  Contents contents_;
  SeededRandom random_;
  CrashingStore crashing_;
  const TestBlob config_ = MakeBlob(901, kInlineBytes);
  const TestBlob layer_ = MakeBlob(902, kLooseBytes);
  const TestManifest image_ = MakeImage(config_, {layer_});

  Model model_;
  std::vector<Model> pending_;  // with the call that the cut hit, or a part of its stages
  std::string pending_step_;
  bool pushed_pending_ = false;
  std::vector<std::string> violations_;
};

}  // namespace

std::string Describe(const Scenario& scenario, const Cut& cut) {
  return StrCat("scenario \"", scenario.name, "\", cut after ", cut.calls,
                " calls, survives: ", NameOf(cut.survival), ", seed ", cut.seed,
                cut.tear == Tear::kHalf ? ", torn" : "", cut.again ? ", cut again" : "");
}

uint64_t CallsOf(const Scenario& scenario) {
  CrashingStore crashing;
  if (!crashing.Open().ok()) return 0;
  for (const Step& step : scenario.steps) {
    if (!step.act(crashing).ok()) return 0;
  }
  return crashing.disk().mutating_calls();
}

std::vector<std::string> Replay(const Scenario& scenario, const Cut& cut,
                                const Sabotage& sabotage) {
  return Replayer(scenario, cut, sabotage).Run();
}

bool LongRun() {
  const char* const value = std::getenv("VARVE_LONG");
  return value != nullptr && std::string_view(value) == "1";
}

std::vector<Cut> CutsOf(const Scenario& scenario, const Sampling& sampling) {
  // One past the end: the power goes when the scenario is over.
  const uint64_t points = CallsOf(scenario) + 1;
  SeededRandom random(sampling.seed);
  std::vector<Cut> cuts;
  for (const Survival survival : sampling.modes) {
    const size_t count = LongRun() ? points : std::min<uint64_t>(sampling.cuts, points);
    const uint64_t offset = random.Below(points);
    for (size_t i = 0; i < count; ++i) {
      Cut cut;
      cut.calls = (offset + i * points / count) % points;
      cut.survival = survival;
      cut.seed = random.Next();
      cut.tear = i % 2 == 0 ? Tear::kNone : Tear::kHalf;
      cut.again = i % 3 == 2;
      cuts.push_back(cut);
    }
  }
  return cuts;
}

}  // namespace varve
