// Which stored bytes stand behind a digest: what a push puts in the place of rotten ones, what of
// several pushes stays, and what a commit of unknown outcome leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/blob/blob_files.h"
#include "storage/engine.h"
#include "storage/image/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/index/rows.h"
#include "storage/limits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/read_whole.h"
#include "tests/support/scripted_index.h"
#include "tests/support/stepped_index.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Code = absl::StatusCode;

constexpr int64_t kDay = 24ll * 3600 * kNanosPerSecond;
constexpr size_t kLooseBytes = 100'000;

class BlobCopiesTest : public testing::Test {
 protected:
  BlobCopiesTest() { Open(); }

  // Again, as after a stop.
  void Open() {
    store_ = nullptr;
    EngineOptions options;
    options.file_system = &disk_;
    options.clock = &clock_;
    options.open_index = [this](const std::string&) -> absl::StatusOr<std::unique_ptr<Index>> {
      return std::make_unique<SteppedIndex>(scripted_, &step_);
    };
    auto opened = OpenEngine("/store", options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  static Digest DigestOf(std::string_view bytes) {
    return HashBytes(DigestAlgorithm::kSha256, bytes);
  }
  absl::Status TryPush(std::string_view bytes) {
    const auto upload = store_->blobs.BeginUpload("app", {});
    RETURN_IF_ERROR(upload.status());
    RETURN_IF_ERROR((*upload)->Append(0, bytes));
    return (*upload)->Commit(DigestOf(bytes), bytes.size()).status();
  }
  Digest Push(std::string_view bytes) {
    EXPECT_EQ(TryPush(bytes), absl::OkStatus());
    return DigestOf(bytes);
  }
  // A manifest with one config; its note is as long as wanted.
  static std::string Json(std::string_view config, std::string_view note) {
    return StrCat(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)",
                  R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")",
                  DigestOf(config).ToString(), R"(","size":)", config.size(),
                  R"(},"layers":[],"annotations":{"note":")", note, R"("}})");
  }
  absl::Status Put(const std::string& json) {
    PutManifestRequest request;
    request.bytes = json;
    return store_->manifests.PutManifest("app", request).status();
  }

  BlobRow RowOf(const Digest& digest) {
    const auto value = index_->Get(BlobKey(digest)).value();
    EXPECT_TRUE(value.has_value());
    return value.has_value() ? BlobRow::Decode(*value).value() : BlobRow();
  }
  static std::string PathOf(FileId file) { return StrCat("/store/blobs/", BlobFiles::Name(file)); }
  void Overwrite(const Digest& digest, uint64_t offset, std::string_view bytes) {
    const auto file = disk_.OpenForWrite(PathOf(RowOf(digest).file));
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_EQ((*file)->WriteAt(offset, bytes), absl::OkStatus());
  }
  std::string Read(const Digest& digest) {
    const auto reader = store_->blobs.OpenBlob("app", digest);
    if (!reader.ok()) return reader.status().ToString();
    const auto bytes = ReadWhole(*reader);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.value_or("");
  }
  size_t Files() {
    size_t files = 0;
    const std::vector<std::string> ranges = disk_.List("/store/blobs").value();
    for (const std::string& range : ranges) {
      files += disk_.List(StrCat("/store/blobs/", range)).value().size();
    }
    return files;
  }

  struct Checked {
    absl::Status status;
    CheckReport report;
    std::vector<std::string> findings;
  };
  // Stops after `limit` blobs.
  Checked CheckContent(uint64_t limit = 1000) {
    Checked checked;
    const auto report = store_->system.CheckContent([&](const CheckStep& step) {
      if (step.finding.has_value()) checked.findings.push_back(step.finding->text);
      return step.so_far.hashed_blobs < limit;
    });
    checked.status = report.status();
    if (report.ok()) checked.report = *report;
    return checked;
  }
  void ExpectAbsentEverywhere(const Digest& digest) {
    EXPECT_EQ(store_->blobs.StatBlob("app", digest).status().code(), Code::kNotFound);
    EXPECT_EQ(store_->blobs.OpenBlob("app", digest).status().code(), Code::kNotFound);
    EXPECT_EQ(store_->blobs.MountBlob("other", digest, "app").status().code(), Code::kNotFound);
    EXPECT_EQ(store_->blobs.DeleteBlob("app", digest).code(), Code::kNotFound);
    EXPECT_THAT(store_->blobs.FindMissing("app", std::vector<Digest>{digest}).value(),
                ElementsAre(digest));
  }

  MemoryFileSystem disk_;
  FakeClock clock_;
  Script script_;
  Step step_;
  const std::unique_ptr<Index> index_ = NewMemoryIndex();
  ScriptedIndex scripted_{*index_, &script_};
  std::unique_ptr<Engine> store_;
};

TEST_F(BlobCopiesTest, APushHealsAFileThatRottedAtItsRightLength) {
  const std::string bytes(kLooseBytes, 'a');
  const std::string other(kLooseBytes, 'b');
  const Digest digest = Push(bytes);
  Push(other);
  for (const std::string& rot : {std::string("x"), std::string(4096, '\0'), other}) {
    Overwrite(digest, kLooseBytes - rot.size(), rot);
    ASSERT_NE(Read(digest), bytes);
    Push(bytes);
    EXPECT_EQ(Read(digest), bytes);
    EXPECT_EQ(Files(), 2u);
  }
  EXPECT_EQ(store_->system.Info()->blob_bytes, 2 * kLooseBytes);
}

// Its row was lost, but not the blob's, which may have been found bad.
TEST_F(BlobCopiesTest, AFileThatIsAdoptedForTheBlobThatNamesItStays) {
  const std::string bytes(kLooseBytes, 'a');
  const Digest digest = Push(bytes);
  const FileId file = RowOf(digest).file;
  for (const bool quarantined : {true, false}) {
    SCOPED_TRACE(quarantined);
    ASSERT_EQ(index_->Run([&](Transaction& txn) -> absl::Status {
      BlobRow row = RowOf(digest);
      row.quarantined = quarantined;
      RETURN_IF_ERROR(txn.Put(BlobKey(digest), row.Encode()));
      RETURN_IF_ERROR(txn.Delete(FileKey(file)));
      const OrphanRow orphan = {kLooseBytes, kLooseBytes, clock_.WallNanos()};
      return txn.Put(OrphanKey(file), orphan.Encode());
    }),
              absl::OkStatus());
    Open();
    const absl::StatusOr<OrphanReport> report = store_->system.DropOrphans([] { return true; });
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->adopted, 1u);
    EXPECT_EQ(report->removed, 0u);
    Open();
    EXPECT_EQ(Read(digest), bytes);
    EXPECT_EQ(RowOf(digest).file, file);
    EXPECT_TRUE(index_->Get(FileKey(file)).value().has_value());
    EXPECT_FALSE(index_->Get(RemovingKey(file)).value().has_value());
    EXPECT_THAT(CheckContent().findings, IsEmpty());
    EXPECT_EQ(store_->system.Info()->blob_bytes, kLooseBytes);
  }
}

TEST_F(BlobCopiesTest, APushHealsInlineBytesOfAnotherBlobWithAGoodChecksum) {
  const Digest digest = Push("right");
  ASSERT_EQ(index_->Run([&](Transaction& txn) {
    return txn.Put(InlineKey(digest), EncodeInlineBytes("wrong"));
  }),
            absl::OkStatus());
  ASSERT_EQ(Read(digest), "wrong");
  Push("right");
  EXPECT_EQ(Read(digest), "right");
}

TEST_F(BlobCopiesTest, APutHealsALargeManifestThatRotted) {
  Push("{}");
  const std::string json = Json("{}", std::string(kLooseBytes, 'm'));
  ASSERT_EQ(Put(json), absl::OkStatus());
  Overwrite(DigestOf(json), json.size() / 2, "rot");
  ASSERT_EQ(Put(json), absl::OkStatus());
  EXPECT_EQ(store_->manifests.GetManifest("app", DigestOf(json))->bytes, json);
  EXPECT_EQ(Files(), 1u);
}

TEST_F(BlobCopiesTest, InlineBytesThatAreTheSameStay) {
  const Digest digest = Push("same");
  const uint64_t copy = RowOf(digest).copy;
  EXPECT_NE(copy, 0u);
  Push("same");
  EXPECT_EQ(RowOf(digest).copy, copy);
}

TEST_F(BlobCopiesTest, ACopyStaysForAWeekAfterItWasProven) {
  const std::string bytes(kLooseBytes, 'a');
  const Digest digest = Push(bytes);
  EXPECT_EQ(RowOf(digest).copy, RowOf(digest).file);
  EXPECT_EQ(RowOf(digest).proven_nanos, 0);  // a commit does not prove what the disk gives back
  ASSERT_THAT(CheckContent().findings, IsEmpty());
  const BlobRow proven = RowOf(digest);
  EXPECT_EQ(proven.proven_nanos, clock_.WallNanos());
  clock_.Advance(kTrustProvenNanos - 1);
  Push(bytes);
  EXPECT_EQ(RowOf(digest).copy, proven.copy);
  clock_.Advance(1);
  Push(bytes);
  EXPECT_NE(RowOf(digest).copy, proven.copy);
  EXPECT_EQ(RowOf(digest).proven_nanos, 0);
  EXPECT_EQ(Files(), 1u);
}

TEST_F(BlobCopiesTest, AProofFromTheFutureIsNone) {
  const std::string bytes(kLooseBytes, 'a');
  const Digest digest = Push(bytes);
  CheckContent();
  const uint64_t copy = RowOf(digest).copy;
  clock_.JumpWall(-kDay);
  Push(bytes);
  EXPECT_NE(RowOf(digest).copy, copy);
}

TEST_F(BlobCopiesTest, AProvenCopyWhoseFileIsGoneIsReplaced) {
  const std::string bytes(kLooseBytes, 'a');
  const Digest digest = Push(bytes);
  CheckContent();
  ASSERT_EQ(disk_.Remove(PathOf(RowOf(digest).file)), absl::OkStatus());
  Push(bytes);
  EXPECT_EQ(Read(digest), bytes);
}

// What the last check has proven, the next one looks at again.
TEST_F(BlobCopiesTest, AProvenCopyThatRotsIsReplacedOnceACheckHasFoundIt) {
  const std::string bytes(kLooseBytes, 'a');
  const Digest digest = Push(bytes);
  ASSERT_THAT(CheckContent().findings, IsEmpty());
  clock_.Advance(kDay);
  Overwrite(digest, 4096, "rot");
  Push(bytes);
  EXPECT_NE(Read(digest), bytes);  // nobody has noticed, and the copy was good yesterday
  EXPECT_EQ(CheckContent().findings.size(), 1u);
  ExpectAbsentEverywhere(digest);
  Push(bytes);
  EXPECT_EQ(Read(digest), bytes);
}

// GUARDS.md: blob-copy
TEST_F(BlobCopiesTest, SimultaneousCommitsSwitchOnce) {
  const std::string bytes(kLooseBytes, 'a');
  const Digest digest = Push(bytes);
  const uint64_t first = RowOf(digest).copy;
  uint64_t second = 0;
  // Another push of it is committed just before this one is.
  script_ = {BlobKey(digest), [&](const Script::Commit& commit) {
               Push(bytes);
               second = RowOf(digest).copy;
               return commit();
             }};
  Push(bytes);
  EXPECT_NE(second, first);
  EXPECT_NE(second, 0u);
  EXPECT_EQ(RowOf(digest).copy, second);
  EXPECT_EQ(Read(digest), bytes);
  EXPECT_EQ(Files(), 1u);
  EXPECT_EQ(store_->system.Info()->blob_bytes, kLooseBytes);
}

TEST_F(BlobCopiesTest, OfTwoFirstCommitsOneStays) {
  const std::string bytes(kLooseBytes, 'a');
  const Digest digest = DigestOf(bytes);
  uint64_t copy = 0;
  script_ = {BlobKey(digest), [&](const Script::Commit& commit) {
               Push(bytes);
               copy = RowOf(digest).copy;
               return commit();
             }};
  Push(bytes);
  EXPECT_EQ(RowOf(digest).copy, copy);
  EXPECT_EQ(Files(), 1u);
  EXPECT_EQ(store_->system.Info()->blob_bytes, kLooseBytes);
}

// A push that heals what was quarantined after it had looked.
TEST_F(BlobCopiesTest, ACopyThatIsFoundBadDuringACommitIsReplaced) {
  const std::string bytes(kLooseBytes, 'a');
  const Digest digest = Push(bytes);
  CheckContent();  // so that the push would keep it
  Overwrite(digest, 0, "x");
  clock_.Advance(1);
  script_ = {RemovingKey(0).substr(0, 1), [&](const Script::Commit& commit) {
               EXPECT_EQ(CheckContent().findings.size(), 1u);
               return commit();
             }};
  Push(bytes);
  EXPECT_EQ(Read(digest), bytes);
  EXPECT_FALSE(RowOf(digest).quarantined);
  EXPECT_EQ(Files(), 1u);
}

// A manifest put cares whether what it names is there, not in which file.
// GUARDS.md: blob-copy
TEST_F(BlobCopiesTest, APutGoesOnWhileWhatItNamesIsReplaced) {
  const std::string config(kLooseBytes, 'c');
  Push(config);
  const std::string json = Json(config, "");
  const std::string members = MemberKey(1, DigestOf(json)).substr(0, 1);
  int replaced = 0;
  std::function<absl::StatusOr<CommitOutcome>(const Script::Commit&)> replace;
  replace = [&](const Script::Commit& commit) {
    Push(config);
    if (++replaced < 20) script_ = {members, replace};
    return commit();
  };
  script_ = {members, replace};
  EXPECT_EQ(Put(json), absl::OkStatus());
  EXPECT_EQ(replaced, 20);
}

TEST_F(BlobCopiesTest, ALookUpFindsWhatIsReplacedAtAnyMoment) {
  const std::string bytes(kLooseBytes, 'a');
  const Digest digest = Push(bytes);
  const std::string json = Json(bytes, "");
  for (size_t call = 0; call < 12; ++call) {
    for (const bool after : {false, true}) {
      SCOPED_TRACE(StrCat("call ", call, after ? ", after it" : ""));
      const auto replace = [&] { step_ = {[&] { Push(bytes); }, call, after}; };
      replace();
      EXPECT_EQ(store_->blobs.StatBlob("app", digest).status(), absl::OkStatus());
      replace();
      EXPECT_EQ(Read(digest), bytes);
      replace();
      EXPECT_THAT(store_->blobs.FindMissing("app", std::vector<Digest>{digest}).value(), IsEmpty());
      replace();
      EXPECT_EQ(store_->blobs.MountBlob("other", digest, "app").status(), absl::OkStatus());
      replace();
      EXPECT_EQ(Put(json), absl::OkStatus());
      step_ = {};
    }
  }
  EXPECT_EQ(Files(), 1u);
}

TEST_F(BlobCopiesTest, ContentIsHashedAndWhatIsBadIsAbsentUntilItIsPushedAgain) {
  const std::string loose(kLooseBytes, 'a');
  const std::string other(kLooseBytes, 'b');
  Push(loose);
  Push(other);
  Push("{}");
  const std::string json = Json("{}", "");
  ASSERT_EQ(Put(json), absl::OkStatus());
  Checked good = CheckContent();
  ASSERT_EQ(good.status, absl::OkStatus());
  EXPECT_THAT(good.findings, IsEmpty());
  EXPECT_EQ(good.report.hashed_blobs, 4u);
  EXPECT_EQ(good.report.hashed_bytes, 2 * kLooseBytes + 2 + json.size());

  clock_.Advance(1);
  Overwrite(DigestOf(loose), 4096, "rot");
  ASSERT_EQ(index_->Run([&](Transaction& txn) -> absl::Status {
    RETURN_IF_ERROR(txn.Put(InlineKey(DigestOf(json)), EncodeInlineBytes("not the manifest")));
    return txn.Put(InlineKey(DigestOf("{}")), "damaged");
  }),
            absl::OkStatus());
  const Checked bad = CheckContent();
  ASSERT_EQ(bad.status, absl::OkStatus());
  EXPECT_EQ(bad.report.findings, 3u);
  EXPECT_EQ(bad.report.hashed_blobs, 4u);
  ASSERT_EQ(bad.findings.size(), 3u);
  for (const std::string& finding : bad.findings) {
    EXPECT_THAT(finding, HasSubstr("answers absent"));
    EXPECT_THAT(finding, HasSubstr("a push of it heals that"));
  }
  ExpectAbsentEverywhere(DigestOf(loose));
  ExpectAbsentEverywhere(DigestOf("{}"));
  EXPECT_EQ(store_->manifests.StatManifest("app", DigestOf(json)).status().code(), Code::kNotFound);
  EXPECT_EQ(store_->manifests.GetManifest("app", DigestOf(json)).status().code(), Code::kNotFound);
  EXPECT_EQ(store_->manifests.Tag("app", "v1", DigestOf(json)).code(), Code::kNotFound);
  EXPECT_EQ(store_->claims.CreateHold({"hold", "app", DigestOf(json), 0}).status().code(),
            Code::kNotFound);
  EXPECT_EQ(Put(Json("{}", "names a bad config")).code(), Code::kFailedPrecondition);
  EXPECT_EQ(Read(DigestOf(other)), other);

  Push(loose);
  Push("{}");
  ASSERT_EQ(Put(json), absl::OkStatus());
  EXPECT_EQ(Read(DigestOf(loose)), loose);
  EXPECT_EQ(store_->manifests.GetManifest("app", DigestOf(json))->bytes, json);
  clock_.Advance(1);
  EXPECT_THAT(CheckContent().findings, IsEmpty());
}

TEST_F(BlobCopiesTest, ACheckThatWasBrokenOffGoesOnWhereItWas) {
  for (char fill = 'a'; fill < 'g'; ++fill) Push(std::string(kLooseBytes, fill));
  EXPECT_EQ(CheckContent(/*limit=*/2).status.code(), Code::kCancelled);
  clock_.Advance(kDay);
  EXPECT_EQ(CheckContent(/*limit=*/1).status.code(), Code::kCancelled);
  clock_.Advance(kDay);
  EXPECT_EQ(CheckContent().report.hashed_blobs, 3u);
  // The next one is a new one.
  clock_.Advance(kDay);
  EXPECT_EQ(CheckContent().report.hashed_blobs, 6u);
}

TEST_F(BlobCopiesTest, ACheckThatWasBrokenOffLongAgoBeginsAgain) {
  for (char fill = 'a'; fill < 'e'; ++fill) Push(std::string(kLooseBytes, fill));
  EXPECT_EQ(CheckContent(/*limit=*/3).status.code(), Code::kCancelled);
  clock_.Advance(kTrustProvenNanos);
  EXPECT_EQ(CheckContent().report.hashed_blobs, 4u);
}

TEST_F(BlobCopiesTest, ACheckThatBeganInTheFutureBeginsAgain) {
  Push(std::string(kLooseBytes, 'a'));
  Push(std::string(kLooseBytes, 'b'));
  CheckContent(/*limit=*/1);
  clock_.JumpWall(-kDay);
  EXPECT_EQ(CheckContent().report.hashed_blobs, 2u);
  clock_.Advance(kDay);
  EXPECT_EQ(CheckContent().report.hashed_blobs, 2u);
}

TEST_F(BlobCopiesTest, ABlobThatTheDiskDoesNotGiveIsToldAndNotQuarantined) {
  const std::string bytes(kLooseBytes, 'a');
  const Digest digest = Push(bytes);
  ASSERT_THAT(CheckContent().findings, IsEmpty());
  const uint64_t copy = RowOf(digest).copy;
  clock_.Advance(kDay);
  disk_.Inject({.call = FileCall::kRead,
                .status = absl::UnavailableError("I/O error of the disk"),
                .path = Under("/store/blobs")});
  const Checked checked = CheckContent();
  ASSERT_EQ(checked.status, absl::OkStatus());
  ASSERT_EQ(checked.findings.size(), 1u);
  EXPECT_THAT(checked.findings[0], HasSubstr("could not be read: I/O error of the disk"));
  EXPECT_FALSE(RowOf(digest).quarantined);
  EXPECT_EQ(Read(digest), bytes);
  // It is proven no more: a push takes its place.
  EXPECT_EQ(RowOf(digest).proven_nanos, 0);
  Push(bytes);
  EXPECT_NE(RowOf(digest).copy, copy);
  EXPECT_EQ(Read(digest), bytes);
}

TEST_F(BlobCopiesTest, WhatIsReplacedOrRemovedWhileItIsReadIsNoFinding) {
  const std::string bytes(kLooseBytes, 'a');
  const Digest digest = Push(bytes);
  Overwrite(digest, 0, "x");
  bool replaced = false;
  const auto report = store_->system.CheckContent([&](const CheckStep& step) {
    EXPECT_FALSE(step.finding.has_value());
    if (!std::exchange(replaced, true)) Push(bytes);
    return true;
  });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(RowOf(digest).quarantined);
  EXPECT_EQ(Read(digest), bytes);
}

// The commit is applied, its outcome unknown, and what the manifest names is replaced before
// anybody looks.
TEST_F(BlobCopiesTest, ACommitOfUnknownOutcomeKeepsTheBytesThatItAcknowledges) {
  const std::string config(kLooseBytes, 'c');
  Push(config);
  const std::string json = Json(config, std::string(kLooseBytes, 'm'));
  script_ = {BlobKey(DigestOf(json)),
             [&](const Script::Commit& commit) -> absl::StatusOr<CommitOutcome> {
               EXPECT_TRUE(commit().ok());
               Push(config);
               return CommitOutcome::kUnknown;
             }};
  ASSERT_EQ(Put(json), absl::OkStatus());
  EXPECT_EQ(store_->manifests.GetManifest("app", DigestOf(json))->bytes, json);
  EXPECT_EQ(Files(), 2u);
  EXPECT_EQ(store_->system.Info()->blob_bytes, kLooseBytes + json.size());
}

TEST_F(BlobCopiesTest, ACommitOfUnknownOutcomeThatWasLostIsDoneOnce) {
  const std::string bytes(kLooseBytes, 'a');
  script_ = {BlobKey(DigestOf(bytes)), [](const Script::Commit&) -> absl::StatusOr<CommitOutcome> {
               return CommitOutcome::kUnknown;
             }};
  EXPECT_EQ(Read(Push(bytes)), bytes);
  EXPECT_EQ(Files(), 1u);
  EXPECT_EQ(store_->system.Info()->blob_bytes, kLooseBytes);
}

// The index says nothing but an error, and has kept the change all the same.
// GUARDS.md: file
TEST_F(BlobCopiesTest, AFileThatARowNamesAfterAllIsNotDiscarded) {
  const std::string bytes(kLooseBytes, 'a');
  const auto lose_the_answer = [](const Script::Commit& commit) -> absl::StatusOr<CommitOutcome> {
    EXPECT_TRUE(commit().ok());
    return absl::UnavailableError("the answer was lost");
  };
  script_ = {BlobKey(DigestOf(bytes)), lose_the_answer};
  EXPECT_EQ(TryPush(bytes).code(), Code::kUnavailable);
  EXPECT_EQ(Read(DigestOf(bytes)), bytes);

  Push("{}");
  const std::string json = Json("{}", std::string(kLooseBytes, 'm'));
  script_ = {BlobKey(DigestOf(json)), lose_the_answer};
  EXPECT_EQ(Put(json).code(), Code::kUnavailable);
  EXPECT_EQ(store_->manifests.GetManifest("app", DigestOf(json))->bytes, json);
  EXPECT_EQ(Files(), 2u);
}

TEST_F(BlobCopiesTest, APutOfALargeManifestThatFailsLeavesNoFile) {
  Push("{}");
  const std::string json = Json("{}", std::string(kLooseBytes, 'm'));
  const auto refuse = [](const Script::Commit&) -> absl::StatusOr<CommitOutcome> {
    return absl::UnavailableError("the index does not answer");
  };
  script_ = {BlobKey(DigestOf(json)), refuse};
  EXPECT_EQ(Put(json).code(), Code::kUnavailable);
  EXPECT_EQ(Files(), 0u);
  EXPECT_EQ(store_->manifests.GetManifest("app", DigestOf(json)).status().code(), Code::kNotFound);
  // Nor one whose reference went between check and transaction.
  script_ = {BlobKey(DigestOf(json)), [&](const Script::Commit&) -> absl::StatusOr<CommitOutcome> {
               EXPECT_EQ(index_->Run(
                             [&](Transaction& txn) { return txn.Delete(BlobKey(DigestOf("{}"))); }),
                         absl::OkStatus());
               return CommitOutcome::kConflict;
             }};
  EXPECT_EQ(Put(json).code(), Code::kFailedPrecondition);
  EXPECT_EQ(Files(), 0u);
  ASSERT_EQ(store_->system.Reclaim().status(), absl::OkStatus());
  EXPECT_THAT(index_->Scan(PrefixRange(RemovingPrefix()), 10).value(), IsEmpty());
}

}  // namespace
}  // namespace varve
