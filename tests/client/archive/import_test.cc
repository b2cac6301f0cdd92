// `varve import`: what becomes of a root file system, and what is refused.
#include "client/archive/import.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <thread>

#include "gmock/gmock.h"
#include "tests/client/archive/compressed.h"
#include "tests/client/archive/tar_entries.h"
#include "tests/client/varve_command.h"

namespace varve {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kCreated[] = "2026-11-23T18:00:00Z";

std::string RootFileSystem() {
  return BuildTar({{"etc/motd", "hello"}, {"bin/sh", TestBytes(300'000, 1)}});
}

class ImportTest : public CommandTest {
 protected:
  std::string BlobBytes(const Digest& digest) {
    std::string bytes;
    const auto sink = [&bytes](std::string_view more) {
      bytes.append(more);
      return absl::OkStatus();
    };
    const absl::StatusOr<BlobInfo> blob = client_->GetBlob(digest, sink, {});
    EXPECT_TRUE(blob.ok()) << blob.status();
    return bytes;
  }

  boost::json::object Config(const std::string& repository, const std::string& tag) {
    const absl::StatusOr<Manifest> manifest = client_->GetManifest(repository, tag);
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    if (!manifest.ok()) return {};
    return boost::json::parse(BlobBytes(*manifest->info.config)).as_object();
  }

  boost::json::object Layer(const std::string& repository, const std::string& tag) {
    const absl::StatusOr<Manifest> manifest = client_->GetManifest(repository, tag);
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    if (!manifest.ok()) return {};
    const boost::json::value document = boost::json::parse(manifest->bytes);
    EXPECT_EQ(document.at("layers").as_array().size(), 1u);
    return document.at("layers").at(0).as_object();
  }

  static std::string Text(const boost::json::value& value) {
    return {value.as_string().data(), value.as_string().size()};
  }
};

TEST_F(ImportTest, TheLayerIsTheInputAndTheDiffIdWhatIsInIt) {
  const std::string tar = RootFileSystem();
  const std::vector<std::tuple<Compression, bool, std::string>> cases = {
      {Compression::kNone, true, "application/vnd.oci.image.layer.v1.tar"},
      {Compression::kGzip, true, "application/vnd.oci.image.layer.v1.tar+gzip"},
      {Compression::kZstd, true, "application/vnd.oci.image.layer.v1.tar+zstd"},
      {Compression::kXz, false, "application/vnd.oci.image.layer.v1.tar"},
      {Compression::kBzip2, false, "application/vnd.oci.image.layer.v1.tar"}};
  std::optional<Digest> first_config;
  for (const auto& [compression, kept, media_type] : cases) {
    const std::string input = Compressed(tar, compression);
    std::string first_id;
    for (const bool piped : {false, true}) {
      const CommandOutcome outcome =
          Run({"import", piped ? "-" : WriteFile("input", input), "root:v1", "--created", kCreated},
              piped ? input : "");
      ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
      if (first_id.empty()) first_id = outcome.out;
      EXPECT_EQ(outcome.out, first_id) << "one input, one image id";
      const absl::StatusOr<ManifestInfo> info = client_->StatManifest("root", std::string("v1"));
      ASSERT_TRUE(info.ok()) << info.status();
      EXPECT_EQ(outcome.out, info->digest.ToString() + "\n");
      if (!first_config) first_config = info->config;
      EXPECT_EQ(info->config, first_config) << "one content, one config";
      EXPECT_EQ(kept, outcome.err.find("note: ") == std::string::npos) << outcome.err;
      const boost::json::object layer = Layer("root", "v1");
      const std::string stored = kept ? input : tar;
      EXPECT_EQ(Text(layer.at("mediaType")), media_type);
      EXPECT_EQ(Text(layer.at("digest")), Sha256Of(stored).ToString());
      EXPECT_EQ(layer.at("size").to_number<size_t>(), stored.size());
      EXPECT_EQ(BlobBytes(Sha256Of(stored)), stored);
      EXPECT_EQ(Text(Config("root", "v1").at("rootfs").at("diff_ids").at(0)),
                Sha256Of(tar).ToString());
    }
  }
}

TEST_F(ImportTest, TheOptionsAreInTheConfig) {
  const std::string input = WriteFile("input", RootFileSystem());
  const CommandOutcome outcome = Run({"image",      "import",
                                      "-c",         "CMD [\"/bin/sh\"]",
                                      input,        "-c",
                                      "ENV A=b",    "app",
                                      "-m",         "by \"hand\"",
                                      "--change",   "LABEL x=y",
                                      "--platform", "Linux/aarch64/v8",
                                      "--created",  "1700000000",
                                      "--change",   "EXPOSE 80",
                                      "--change",   "WORKDIR /srv"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const absl::StatusOr<ManifestInfo> info = client_->StatManifest("app", std::string("latest"));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(outcome.out, info->digest.ToString() + "\n");
  const std::string config = BlobBytes(*info->config);
  EXPECT_EQ(config,
            "{\"created\":\"2023-11-14T22:13:20.000000000Z\",\"architecture\":\"arm64\","
            "\"variant\":\"v8\",\"os\":\"linux\",\"config\":{\"ExposedPorts\":{\"80/tcp\":{}},"
            "\"Env\":[\"A=b\"],\"Cmd\":[\"/bin/sh\"],\"WorkingDir\":\"/srv\",\"Labels\":"
            "{\"x\":\"y\"}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" +
                Sha256Of(RootFileSystem()).ToString() +
                "\"]},\"history\":[{\"created\":\"2023-11-14T22:13:20.000000000Z\",\"comment\":"
                "\"by \\\"hand\\\"\"}]}");
}

TEST_F(ImportTest, TheTimeIsTheOneAskedFor) {
  const std::string input = WriteFile("input", RootFileSystem());
  const auto created = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"import", input, "app"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const CommandOutcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return Text(Config("app", "latest").at("created"));
  };
  EXPECT_THAT(created({}), StartsWith("20"));
  EXPECT_EQ(created({"--created", "2026-01-02T03:04:05+01:00"}), "2026-01-02T02:04:05.000000000Z");
  environment_ = {"SOURCE_DATE_EPOCH=86400"};
  EXPECT_EQ(created({}), "1970-01-02T00:00:00.000000000Z");
  EXPECT_EQ(created({"--created", "0"}), "1970-01-01T00:00:00.000000000Z");
  environment_ = {"SOURCE_DATE_EPOCH=soon"};
  EXPECT_EQ(Run({"import", input, "app"}).exit_code, 2);
}

TEST_F(ImportTest, WithoutANameTheImageIsFoundByItsDigest) {
  const std::string input = WriteFile("input", RootFileSystem());
  const CommandOutcome outcome = Run({"import", input, "--json", "--created", "0"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const boost::json::value json = boost::json::parse(outcome.out);
  const absl::StatusOr<Digest> digest = Digest::Parse(Text(json.at("digest")));
  ASSERT_TRUE(digest.ok());
  const absl::StatusOr<ManifestInfo> info = client_->StatManifest("untagged", *digest);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(Text(json.at("image_id")), digest->ToString());
  EXPECT_EQ(Text(json.at("tag")), "");
  EXPECT_EQ(Text(json.at("layer")), Sha256Of(RootFileSystem()).ToString());
  EXPECT_EQ(Text(json.at("diff_id")), Sha256Of(RootFileSystem()).ToString());
  const CommandOutcome plain = Run({"import", input, "--created", "0"});
  EXPECT_EQ(plain.out, digest->ToString() + "\n");
  EXPECT_THAT(plain.err, HasSubstr("stored as untagged@" + digest->ToString()));
}

TEST_F(ImportTest, WhatIsNoIntactRootFileSystemBecomesNoBlob) {
  const std::string tar = RootFileSystem();
  const std::string gzip = Compressed(tar, Compression::kGzip);
  const std::string xz = Compressed(tar, Compression::kXz);
  for (const std::string& input :
       {std::string(), std::string("text"), TestBytes(100'000, 3), tar.substr(0, 100'000),
        gzip.substr(0, gzip.size() / 2), gzip + "more", xz.substr(0, xz.size() - 10),
        Compressed("text", Compression::kZstd), Compressed(gzip, Compression::kGzip)}) {
    for (const bool piped : {false, true}) {
      const CommandOutcome outcome =
          Run({"import", "-q", piped ? "-" : WriteFile("input", input), "bad"}, piped ? input : "");
      EXPECT_EQ(outcome.exit_code, 1) << input.size();
      EXPECT_EQ(outcome.out, "");
      EXPECT_THAT(outcome.err, StartsWith("varve: the "));
      EXPECT_EQ(client_->StatBlob("", Sha256Of(input)).status().code(),
                absl::StatusCode::kNotFound);
    }
  }
  EXPECT_EQ(client_->StatManifest("bad", std::string("latest")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(OutputOf({"upload", "ls", "-q"}), "") << "nobody goes on with any of them";
}

TEST_F(ImportTest, ABombIsNotStored) {
  const std::string zeros = BuildTar({{"zeros", std::string(3'000'000, '\0')}});
  for (const Compression compression : {Compression::kGzip, Compression::kBzip2}) {
    const std::string path = WriteFile("input", Compressed(zeros, compression));
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    ImportOptions options;
    options.created = kCreated;
    options.limits.free_bytes = 1'000'000;
    EXPECT_EQ(ImportImage(*client_, fd, options).status().code(),
              absl::StatusCode::kResourceExhausted);
    close(fd);
  }
  EXPECT_EQ(client_->StatBlob("", Sha256Of(zeros)).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ImportTest, AnUploadThatBrokeOffIsResumed) {
  const std::string tar = BuildTar({{"large", TestBytes(5'000'000, 6)}});
  const std::string path = WriteFile("input", tar);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  UploadOptions earlier;
  earlier.id = UploadIdOfFile(fd, "");
  absl::StatusOr<std::unique_ptr<OpenUpload>> upload = store_->blobs.BeginUpload("", earlier);
  ASSERT_TRUE(upload.ok() && (*upload)->Append(0, tar.substr(0, 4'000'000)).ok());
  upload->reset();
  class Observer : public ImportObserver {
   public:
    void OnStart(std::optional<uint64_t> size) override { size_bytes = size; }
    void OnProgress(uint64_t done) override {
      if (first_bytes == 0) first_bytes = done;
    }
    std::optional<uint64_t> size_bytes;
    uint64_t first_bytes = 0;
  };
  Observer observer;
  ImportOptions options;
  options.created = kCreated;
  options.observer = &observer;
  const absl::StatusOr<ImportedImage> image = ImportImage(*client_, fd, options);
  close(fd);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->diff_id, Sha256Of(tar)) << "what is not sent is hashed all the same";
  EXPECT_EQ(observer.size_bytes, tar.size());
  EXPECT_GT(observer.first_bytes, 4'000'000u);
}

TEST_F(ImportTest, APipeThatIsSlowIsWaitedFor) {
  const std::string tar = RootFileSystem();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  std::thread producer([&] {
    for (size_t at = 0; at < tar.size(); at += 50'000) {
      const std::string piece = tar.substr(at, 50'000);
      EXPECT_EQ(write(ends[1], piece.data(), piece.size()), static_cast<ssize_t>(piece.size()));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    close(ends[1]);
  });
  ImportOptions options;
  options.created = kCreated;
  const absl::StatusOr<ImportedImage> image = ImportImage(*client_, ends[0], options);
  producer.join();
  close(ends[0]);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->layer.digest, Sha256Of(tar));
}

TEST_F(ImportTest, WrongUsageIsToldBeforeAnythingIsRead) {
  const std::string input = WriteFile("input", RootFileSystem());
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"import"},
                                             {"import", input, "UPPER"},
                                             {"import", input, "app@" + Sha256Of("").ToString()},
                                             {"import", input, "app", "-c", "FROM scratch"},
                                             {"import", input, "app", "--platform", "linux"},
                                             {"import", input, "app", "--created", "yesterday"},
                                             {"import", input, "app", "--created", "-1"}}) {
    const CommandOutcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, StartsWith("varve: "));
  }
  EXPECT_EQ(Run({"import", Path("no such file"), "app"}).exit_code, 1);
  EXPECT_EQ(client_->StatBlob("", Sha256Of(RootFileSystem())).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace varve
