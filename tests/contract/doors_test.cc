// What is done through one door is seen at once through the other and in the store.
#include <gmock/gmock.h>
#include <sys/socket.h>

#include "storage/api/pruning.h"
#include "storage/base/status.h"
#include "tests/contract/doors/doors_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using Code = absl::StatusCode;

absl::StatusOr<std::string> ReadBlob(Blobs& blobs, std::string_view repository,
                                     const Digest& digest) {
  ASSIGN_OR_RETURN(const BlobReader reader, blobs.OpenBlob(repository, digest));
  return ReadWhole(reader);
}

TEST_F(DoorsTest, BlobsOfEverySizeFromEachToAll) {
  uint64_t seed = 0;
  for (const Way& from : ways()) {
    for (const size_t size : {size_t{0}, size_t{100}, size_t{200'000}, 3 * size_t{kMiB} + 1}) {
      const std::string bytes = MakeBytes(size, ++seed);
      const std::string repository = StrCat("from", seed);
      const Digest digest = Push(*from.store, repository, bytes);
      for (const Way& to : ways()) {
        SCOPED_TRACE(StrCat(from.name, " to ", to.name, ", ", size, " bytes"));
        const auto info = to.store->blobs.StatBlob(repository, digest);
        ASSERT_TRUE(info.ok()) << info.status();
        EXPECT_EQ(info->size_bytes, size);
        const auto read = ReadBlob(to.store->blobs, repository, digest);
        ASSERT_TRUE(read.ok()) << read.status();
        EXPECT_TRUE(*read == bytes);
        if (size > 0) {
          EXPECT_EQ(to.store->blobs.StatBlob("elsewhere", digest).status().code(), Code::kNotFound);
        }
      }
    }
  }
}

TEST_F(DoorsTest, ManifestsAndTagsFromEachToAll) {
  uint64_t seed = 0;
  for (const Way& from : ways()) {
    const std::string repository = StrCat("from", ++seed);
    const Image image = PushImage(*from.store, repository, seed, {"v1", "latest"});
    for (const Way& to : ways()) {
      SCOPED_TRACE(StrCat(from.name, " to ", to.name));
      for (const ManifestReference& reference :
           {ManifestReference("v1"), ManifestReference("latest"),
            ManifestReference(image.manifest)}) {
        const auto manifest = to.store->manifests.GetManifest(repository, reference);
        ASSERT_TRUE(manifest.ok()) << manifest.status();
        EXPECT_EQ(manifest->bytes, image.json);
        EXPECT_EQ(manifest->info.digest, image.manifest);
      }
      EXPECT_EQ(to.store->manifests.GetManifest("elsewhere", image.manifest).status().code(),
                Code::kNotFound);
    }
  }
}

TEST_F(DoorsTest, TagsMoveAndGoForAll) {
  const Image one = PushImage(engine(), "app", 1, {"v1"});
  const Image two = PushImage(engine(), "app", 2, {"v2"});
  Digest target = one.manifest;
  for (const Way& from : ways()) {
    target = target == one.manifest ? two.manifest : one.manifest;
    ASSERT_TRUE(from.store->manifests.Tag("app", "stable", target).ok());
    for (const Way& to : ways()) {
      SCOPED_TRACE(StrCat(from.name, " to ", to.name));
      const auto info = to.store->manifests.StatManifest("app", "stable");
      ASSERT_TRUE(info.ok()) << info.status();
      EXPECT_EQ(info->digest, target);
    }
    ASSERT_TRUE(from.store->manifests.Untag("app", "stable", false).ok());
    for (const Way& to : ways()) {
      SCOPED_TRACE(StrCat(from.name, " to ", to.name));
      EXPECT_EQ(to.store->manifests.StatManifest("app", "stable").status().code(), Code::kNotFound);
      EXPECT_EQ(to.store->manifests.Untag("app", "stable", false).code(), Code::kNotFound);
      EXPECT_TRUE(to.store->manifests.StatManifest("app", target).ok());
    }
  }
}

TEST_F(DoorsTest, AnImageInUseIsDeletedThroughNoDoor) {
  const Image image = PushImage(engine(), "app", 1, {"v1"});
  ASSERT_TRUE(engine().claims.CreateHold({"web", "app", image.manifest, 0}).ok());
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    const absl::Status deleted =
        way.can(Ability::kDeleteManifest)
            ? way.store->manifests.DeleteManifest("app", image.manifest)
            : way.store->images.RemoveImage(image.manifest.ToString(), /*force=*/true).status();
    EXPECT_EQ(deleted.code(), Code::kFailedPrecondition) << deleted;
    EXPECT_THAT(std::string(ToStd(deleted.message())), testing::HasSubstr("hold web"));
    EXPECT_TRUE(way.store->manifests.StatManifest("app", "v1").ok());
    if (way.can(Ability::kDeleteBlob)) {
      EXPECT_EQ(way.store->blobs.DeleteBlob("app", image.layer).code(), Code::kFailedPrecondition);
    }
  }
  // The last tag is not the image: it goes by force, for which the registry asks nobody.
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    const absl::Status unforced = way.store->manifests.Untag("app", "v1", false);
    EXPECT_EQ(unforced.code(), way.name == "HTTP" ? Code::kOk : Code::kFailedPrecondition);
    if (!unforced.ok()) EXPECT_TRUE(way.store->manifests.Untag("app", "v1", true).ok());
    EXPECT_TRUE(engine().blobs.OpenBlob("app", image.layer).ok());
    EXPECT_TRUE(way.store->manifests.Tag("app", "v1", image.manifest).ok());
  }
}

TEST_F(DoorsTest, AllListTheSameTags) {
  const Image image = PushImage(engine(), "app", 1, {"b", "a", "c"});
  PushImage(engine(), "app2", 2, {"other"});
  for (const Way& to : ways()) {
    SCOPED_TRACE(to.name);
    std::vector<std::string> names;
    const auto page = to.store->manifests.ListTags("app", {"", 2});
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_TRUE(page->more);
    for (const TagInfo& tag : page->rows) {
      names.push_back(tag.name);
      EXPECT_EQ(tag.digest, image.manifest);
    }
    EXPECT_THAT(names, ElementsAre("a", "b"));
  }
}

TEST_F(DoorsTest, AllListTheSameRepositories) {
  for (const Way& from : ways()) {
    PushImage(*from.store, from.name == "gRPC" ? "a/b" : from.name == "HTTP" ? "a-b" : "a", 1);
    std::vector<std::vector<std::string>> lists;
    for (const Way& to : ways()) {
      const auto page = to.store->manifests.ListRepositories({"", 10});
      ASSERT_TRUE(page.ok()) << to.name << ": " << page.status();
      lists.push_back(page->rows);
    }
    EXPECT_EQ(lists[0], lists[1]);
    EXPECT_EQ(lists[0], lists[2]);
  }
  EXPECT_THAT(engine().manifests.ListRepositories({"", 10})->rows, ElementsAre("a", "a-b", "a/b"));
}

TEST_F(DoorsTest, WhatLostItsTagThroughOneDoorIsPrunedThroughAnother) {
  for (const Way& from : ways()) {
    for (const Way& pruner : ways()) {
      if (!pruner.can(Ability::kListImages)) continue;  // the OCI API has no prune
      SCOPED_TRACE(StrCat(from.name, ", pruned by ", pruner.name));
      const Image image = PushImage(*from.store, "app", 1, {"v1"});
      ASSERT_TRUE(from.store->manifests.Untag("app", "v1", false).ok());
      behind().Advance(kHour);
      std::vector<Digest> gone;
      const auto report = pruner.store->images.Prune({}, [&](const PruneStep& step) {
        if (step.kind == PruneStep::Kind::kRemoved) gone.push_back(step.image.manifest.digest);
        return true;
      });
      ASSERT_TRUE(report.ok()) << report.status();
      EXPECT_EQ(report->images, 1u);
      EXPECT_THAT(gone, ElementsAre(image.manifest));
      for (const Way& to : ways()) {
        EXPECT_EQ(to.store->manifests.StatManifest("app", image.manifest).status().code(),
                  Code::kNotFound);
      }
    }
  }
}

// What happened, as "push REPOSITORY:TAG" and so on, oldest first.
std::vector<std::string> Events(Client& client) {
  WatchOptions options;
  options.from_oldest = true;
  options.follow = false;
  std::vector<std::string> events;
  const absl::Status status =
      client.WatchEvents(options, [&](const Event& event, const std::string&) {
        events.push_back(StrCat(EventTypeName(event.type), " ", event.repository, ":", event.tag));
        return true;
      });
  EXPECT_TRUE(status.ok()) << status;
  return events;
}

TEST_F(DoorsTest, EventsTellOfEveryDoorAlike) {
  std::vector<std::vector<std::string>> told;
  while (told.size() < ways().size()) {
    Make({});
    const Way& way = ways()[told.size()];
    PushImage(*way.store, "app", 1, {"v1"});
    ASSERT_TRUE(way.store->manifests.GetManifest("app", "v1").ok());
    ASSERT_TRUE(way.store->manifests.Untag("app", "v1", false).ok());
    told.push_back(Events(grpc().store().client()));
  }
  EXPECT_THAT(told[0], testing::Not(testing::IsEmpty()));
  EXPECT_EQ(told[0], told[1]);
  EXPECT_EQ(told[0], told[2]);
}

TEST_F(DoorsTest, DeletedManifestIsGoneForAll) {
  for (const Way& from : ways()) {
    if (!from.can(Ability::kDeleteManifest)) continue;  // its way is RemovedImageIsGoneForAll
    const Image image = PushImage(engine(), "app", 1, {"v1"});
    ASSERT_TRUE(from.store->manifests.DeleteManifest("app", image.manifest).ok());
    for (const Way& to : ways()) {
      SCOPED_TRACE(StrCat(from.name, " to ", to.name));
      EXPECT_EQ(to.store->manifests.GetManifest("app", "v1").status().code(), Code::kNotFound);
      EXPECT_EQ(to.store->manifests.GetManifest("app", image.manifest).status().code(),
                Code::kNotFound);
    }
  }
}

TEST_F(DoorsTest, RemovedImageIsGoneForAll) {
  for (const Way& from : ways()) {
    if (!from.can(Ability::kListImages)) continue;  // its way is DeletedManifestIsGoneForAll
    const Image image = PushImage(engine(), "app", 1, {"v1"});
    const auto removed = from.store->images.RemoveImage("app:v1", false);
    ASSERT_TRUE(removed.ok()) << removed.status();
    EXPECT_THAT(removed->untagged, ElementsAre("app:v1"));
    for (const Way& to : ways()) {
      SCOPED_TRACE(StrCat(from.name, " to ", to.name));
      EXPECT_EQ(to.store->manifests.GetManifest("app", "v1").status().code(), Code::kNotFound);
      EXPECT_EQ(to.store->manifests.GetManifest("app", image.manifest).status().code(),
                Code::kNotFound);
    }
  }
}

TEST_F(DoorsTest, DeletedAndMountedBlobsForAll) {
  uint64_t seed = 0;
  for (const Way& from : ways()) {
    if (!from.can(Ability::kMountBlob)) continue;  // varve.v1 has neither call
    const std::string here = StrCat("here", ++seed);
    const std::string there = StrCat("there", seed);
    const Digest digest = Push(engine(), here, MakeBytes(1000, seed));
    ASSERT_TRUE(from.store->blobs.MountBlob(there, digest, here).ok());
    for (const Way& to : ways()) {
      SCOPED_TRACE(StrCat(from.name, " to ", to.name));
      EXPECT_TRUE(to.store->blobs.StatBlob(there, digest).ok());
    }
    ASSERT_TRUE(from.store->blobs.DeleteBlob(there, digest).ok());
    for (const Way& to : ways()) {
      SCOPED_TRACE(StrCat(from.name, " to ", to.name));
      EXPECT_EQ(to.store->blobs.StatBlob(there, digest).status().code(), Code::kNotFound);
      EXPECT_TRUE(to.store->blobs.StatBlob(here, digest).ok());
    }
  }
}

// --- uploads -----------------------------------------------------------------------------------

// One upload, begun, continued and finished each through another door.
TEST_F(DoorsTest, UploadWandersThroughAllDoors) {
  uint64_t seed = 0;
  for (const Way& first : ways()) {
    for (const Way& second : ways()) {
      for (const Way& third : ways()) {
        SCOPED_TRACE(StrCat(first.name, ", ", second.name, ", ", third.name));
        const std::string bytes = MakeBytes(120'000, ++seed);
        std::string id;
        {
          auto upload = first.store->blobs.BeginUpload("app", {});
          ASSERT_TRUE(upload.ok()) << upload.status();
          id = (*upload)->status().id;
          ASSERT_TRUE((*upload)->Append(0, bytes.substr(0, 50'000)).ok());
        }
        {
          auto upload = second.store->blobs.ResumeUpload("app", id);
          ASSERT_TRUE(upload.ok()) << upload.status();
          ASSERT_EQ((*upload)->status().offset_bytes, 50'000u);
          ASSERT_TRUE((*upload)->Append(50'000, bytes.substr(50'000)).ok());
        }
        auto upload = third.store->blobs.ResumeUpload("app", id);
        ASSERT_TRUE(upload.ok()) << upload.status();
        ASSERT_EQ((*upload)->status().offset_bytes, bytes.size());
        const auto info = (*upload)->Commit(Sha256(bytes), std::nullopt);
        ASSERT_TRUE(info.ok()) << info.status();
        upload->reset();
        for (const Way& to : ways()) {
          EXPECT_EQ(to.store->blobs.ResumeUpload("app", id).status().code(), Code::kNotFound);
          EXPECT_TRUE(ReadBlob(to.store->blobs, "app", Sha256(bytes)).value_or("") == bytes);
        }
      }
    }
  }
}

TEST_F(DoorsTest, AbortedUploadIsUnknownToAll) {
  for (const Way& from : ways()) {
    auto begun = engine().blobs.BeginUpload("app", {});
    ASSERT_TRUE(begun.ok()) << begun.status();
    const std::string id = (*begun)->status().id;
    ASSERT_TRUE((*begun)->Append(0, "bytes").ok());
    begun->reset();
    auto upload = from.store->blobs.ResumeUpload("app", id);
    ASSERT_TRUE(upload.ok()) << upload.status();
    ASSERT_TRUE((*upload)->Abort().ok());
    for (const Way& to : ways()) {
      SCOPED_TRACE(StrCat(from.name, " to ", to.name));
      EXPECT_EQ(to.store->blobs.ResumeUpload("app", id).status().code(), Code::kNotFound);
    }
  }
}

TEST_F(DoorsTest, UploadOfAWriteStreamIsHeldForAll) {
  grpc::ClientContext context;
  v1::WriteResponse response;
  const auto stream = grpc().store().blobs().Write(&context, &response);
  v1::WriteRequest message;
  message.mutable_header()->set_repository("app");
  message.mutable_header()->set_upload_id("streamed");
  ASSERT_TRUE(stream->Write(message));
  // The stream has its upload as soon as nobody else gets it.
  while (engine().blobs.ResumeUpload("app", "streamed").status().code() == Code::kNotFound) {
  }
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    EXPECT_EQ(way.store->blobs.ResumeUpload("app", "streamed").status().code(), Code::kAborted);
  }
  message.set_data("bytes");
  stream->Write(message);
  stream->WritesDone();
  ASSERT_TRUE(stream->Finish().ok());
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    const auto resumed = way.store->blobs.ResumeUpload("app", "streamed");
    ASSERT_TRUE(resumed.ok()) << resumed.status();
    EXPECT_EQ((*resumed)->status().offset_bytes, 5u);
  }
}

TEST_F(DoorsTest, FullStoreRefusesThroughAll) {
  StoreSettings settings;
  settings.max_bytes = 1'000'000;
  Make(settings);
  Push(engine(), "app", MakeBytes(600'000, 1));
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    auto upload = way.store->blobs.BeginUpload("app", {});
    ASSERT_TRUE(upload.ok()) << upload.status();
    const std::string id = (*upload)->status().id;
    EXPECT_EQ((*upload)->Append(0, MakeBytes(600'000, 2)).code(), Code::kResourceExhausted);
    upload->reset();
    // What was received is there, and goes on through any of them.
    for (const Way& other : ways()) {
      EXPECT_TRUE(other.store->blobs.ResumeUpload("app", id).ok());
    }
    ASSERT_TRUE(engine().blobs.AbortUpload(id).ok());
  }
}

// --- readers -----------------------------------------------------------------------------------

class DoorReadersTest : public DoorsTest {
 protected:
  // More than what sockets and libraries keep on the way.
  static constexpr size_t kBytes = 24 * kMiB;

  void RemoveEverything() {
    behind().Advance(kHour);
    const auto report = engine().system.Reclaim();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->blobs, 1u);
    for (const Way& way : ways()) {
      EXPECT_EQ(way.store->blobs.StatBlob("app", digest_).status().code(), Code::kNotFound);
    }
  }

  const std::string bytes_ = MakeBytes(kBytes, 1);
  const Digest digest_ = Sha256(bytes_);
};

TEST_F(DoorReadersTest, GrpcReaderKeepsItsBytesWhateverIsRemoved) {
  Push(engine(), "app", bytes_);
  grpc::ClientContext context;
  v1::ReadRequest request;
  request.set_repository("app");
  request.set_digest(digest_.ToString());
  const auto stream = grpc().store().blobs().Read(&context, request);
  v1::ReadResponse response;
  ASSERT_TRUE(stream->Read(&response));
  std::string read = response.data();
  ASSERT_LT(read.size(), kBytes);
  RemoveEverything();
  while (stream->Read(&response)) read += response.data();
  ASSERT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(read == bytes_);
}

TEST_F(DoorReadersTest, HttpReaderKeepsItsBytesWhateverIsRemoved) {
  Push(engine(), "app", bytes_);
  HttpClient client(http().port());
  ASSERT_TRUE(client.Send(
      StrCat("GET /v2/app/blobs/", digest_.ToString(), " HTTP/1.1\r\nHost: localhost\r\n\r\n")));
  char first = 0;
  ASSERT_EQ(recv(client.descriptor(), &first, 1, MSG_PEEK), 1);
  RemoveEverything();
  const HttpResponse response = client.Read();
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.body == bytes_);
}

}  // namespace
}  // namespace varve
