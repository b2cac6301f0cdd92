// Loading an image archive. Input: the bytes of the archive, loaded once as a file and once as a
// stream into a store of maps, with the same outcome; its first line is also taken as names.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "client/archive/entry_name.h"
#include "client/archive/image_names.h"
#include "client/archive/load.h"
#include "storage/api/pruning.h"
#include "storage/base/mutex.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/image/manifest.h"
#include "storage/image/names.h"
#include "tests/fuzz/invariant.h"

namespace varve {
namespace {

constexpr size_t kMaxPipeBytes = 65'536;  // what fits without a reader

// Blobs and manifests as they were put, each checked as a daemon would.
class MapClient final : public Client {
 public:
  bool connected() const override { return true; }
  absl::StatusOr<BlobInfo> StatBlob(std::string_view, const Digest& digest) override {
    MutexLock lock(mutex_);
    const auto found = blobs_.find(digest);
    if (found == blobs_.end()) return absl::NotFoundError("no such blob");
    return BlobInfo{.digest = digest, .size_bytes = found->second.size(), .created_nanos = 0};
  }
  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view,
                                                  absl::Span<const Digest>) override {
    return std::vector<Digest>();
  }
  absl::StatusOr<BlobInfo> PutBlob(ByteSource& source, const PutBlobOptions& options) override {
    std::string bytes, piece;
    do {
      const absl::Status read = source.Read(1000, &piece);
      if (!read.ok()) return read;
      bytes += piece;
    } while (!piece.empty());
    FUZZ_INVARIANT(!source.size_bytes() || *source.size_bytes() == bytes.size());
    const Digest digest = source.HashedDigest();
    if (options.expected && !(digest == *options.expected)) {
      return absl::InvalidArgumentError("another digest");
    }
    FUZZ_INVARIANT(HashBytes(digest.algorithm(), bytes) == digest);
    MutexLock lock(mutex_);
    blobs_[digest] = bytes;
    return BlobInfo{.digest = digest, .size_bytes = bytes.size(), .created_nanos = 0};
  }
  absl::StatusOr<BlobInfo> GetBlob(const Digest& digest, const ByteSink& sink,
                                   const GetBlobOptions&) override {
    std::string bytes;
    {
      MutexLock lock(mutex_);
      bytes = blobs_.at(digest);
    }
    const absl::Status taken = sink(bytes);
    if (!taken.ok()) return taken;
    return StatBlob("", digest);
  }
  absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                           const PutManifestRequest& request) override {
    FUZZ_INVARIANT(request.whole_store && ValidateRepositoryName(repository).ok());
    FUZZ_INVARIANT(HashBytes(request.expected->algorithm(), request.bytes) == *request.expected);
    for (const std::string& tag : request.tags) FUZZ_INVARIANT(ValidateTag(tag).ok());
    MutexLock lock(mutex_);
    const absl::StatusOr<ParsedManifest> manifest = ParseManifest(request.bytes, "");
    FUZZ_INVARIANT(manifest.ok());
    if (manifest->config) CheckThere(*manifest->config);
    for (const Descriptor& layer : manifest->layers) {
      if (!layer.foreign) CheckThere(layer);
    }
    for (const Descriptor& child : manifest->children) {
      const bool there = IsManifestType(child.media_type)
                             ? manifests_.count({std::string(repository), child.digest}) == 1
                             : blobs_.count(child.digest) == 1;
      if (!there) return absl::FailedPreconditionError("the index has gaps");
    }
    blobs_[*request.expected] = std::string(request.bytes);
    manifests_.insert({std::string(repository), *request.expected});
    return ManifestInfo();
  }
  absl::StatusOr<ManifestInfo> StatManifest(std::string_view, const ManifestReference&) override {
    return absl::NotFoundError("no such manifest");
  }
  absl::StatusOr<ImageMatch> FindImage(std::string_view) override {
    return absl::NotFoundError("no such image");
  }
  absl::Status Tag(std::string_view repository, std::string_view tag,
                   const Digest& digest) override {
    FUZZ_INVARIANT(ValidateTag(tag).ok());
    FUZZ_INVARIANT(manifests_.count({std::string(repository), digest}) == 1);
    return absl::OkStatus();
  }

  // Loading needs none of these.
  absl::StatusOr<Manifest> GetManifest(std::string_view, const ManifestReference&) override {
    return Unused();
  }
  absl::Status Untag(std::string_view, std::string_view, bool) override { return Unused(); }
  absl::StatusOr<ImagePage> ListImages(const ImageQuery&, const std::string&, size_t) override {
    return Unused();
  }
  absl::StatusOr<ReferrerPage> ListReferrers(std::string_view, const Digest&, std::string_view,
                                             const std::string&, size_t) override {
    return Unused();
  }
  absl::StatusOr<ImageDetails> InspectImage(std::string_view, const ManifestReference&,
                                            std::string_view) override {
    return Unused();
  }
  absl::StatusOr<std::vector<HistoryEntry>> ImageHistory(std::string_view, const ManifestReference&,
                                                         std::string_view) override {
    return Unused();
  }
  absl::Status TagFrom(std::string_view, const Digest&, std::string_view,
                       std::string_view) override {
    return Unused();
  }
  absl::StatusOr<RemovedImage> RemoveImage(std::string_view, bool, bool) override {
    return Unused();
  }
  absl::StatusOr<PruneReport> Prune(const PruneRequest&, const PruneObserver&) override {
    return Unused();
  }
  absl::StatusOr<std::string> StartPrune(const PruneRequest&) override { return Unused(); }
  absl::StatusOr<PruneReport> AttachPrune(std::string_view, const PruneObserver&) override {
    return Unused();
  }
  absl::Status CancelPrune(std::string_view) override { return Unused(); }
  absl::StatusOr<std::vector<PruneJob>> ListPrunes() override { return Unused(); }
  absl::StatusOr<UploadPage> ListUploads(const std::string&, size_t) override { return Unused(); }
  absl::Status AbortUpload(std::string_view) override { return Unused(); }
  absl::StatusOr<RecentActivity> ListActivity() override { return Unused(); }
  absl::StatusOr<KeeperReport> ExplainKept(std::string_view) override { return Unused(); }
  absl::StatusOr<HoldInfo> CreateHold(const HoldRequest&) override { return Unused(); }
  absl::Status ReleaseHold(std::string_view) override { return Unused(); }
  absl::StatusOr<HoldPage> ListHolds(const std::string&, size_t) override { return Unused(); }
  absl::StatusOr<LeaseInfo> CreateLease(const LeaseRequest&) override { return Unused(); }
  absl::StatusOr<std::vector<Digest>> AttachToLease(std::string_view,
                                                    absl::Span<const Digest>) override {
    return Unused();
  }
  absl::StatusOr<LeaseInfo> RenewLease(std::string_view, int64_t) override { return Unused(); }
  absl::Status DeleteLease(std::string_view) override { return Unused(); }
  absl::StatusOr<LeasePage> ListLeases(const std::string&, size_t) override { return Unused(); }
  absl::StatusOr<BlobPage> ListBlobs(const std::string&, size_t) override { return Unused(); }
  absl::StatusOr<RepositoryPage> ListRepositories(const std::string&, size_t) override {
    return Unused();
  }
  absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view) override { return Unused(); }
  absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view, std::string_view,
                                                    bool) override {
    return Unused();
  }
  absl::StatusOr<DaemonInfo> Info() override { return Unused(); }
  absl::StatusOr<DiskUsage> MeasureDiskUsage() override { return Unused(); }
  absl::StatusOr<CheckReport> Check(const CheckObserver&) override { return Unused(); }
  absl::StatusOr<CheckReport> CheckContent(const CheckObserver&) override { return Unused(); }
  absl::StatusOr<OrphanReport> DropOrphans() override { return Unused(); }
  absl::StatusOr<OrphanReport> AdoptOrphans() override { return Unused(); }
  absl::Status WatchEvents(const WatchOptions&, const EventSink&) override { return Unused(); }

 private:
  static absl::Status Unused() { return absl::UnimplementedError("not part of loading"); }
  void CheckThere(const Descriptor& descriptor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto found = blobs_.find(descriptor.digest);
    FUZZ_INVARIANT(found != blobs_.end() && found->second.size() == descriptor.size_bytes);
  }

  Mutex mutex_;  // a layer is read while another one is written
  std::map<Digest, std::string> blobs_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<std::string, Digest>> manifests_;
};

class SayingObserver final : public LoadObserver {
 public:
  void ImageLoaded(const LoadedImage& image) override {
    said += StrCat(image.repository, ":", image.tag, " ", image.manifest.ToString(), "\n");
  }
  void ImageFailed(const std::string& name, const absl::Status& status) override {
    said += StrCat(name, " ", status.ToString(), "\n");
  }
  std::string said;
};

// What it said.
std::string Load(int fd) {
  MapClient client;
  SayingObserver observer;
  LoadOptions options;
  options.limits.reader.free_bytes = 4 * kMiB;  // so that a bomb ends soon
  const absl::Status status = LoadImages(client, fd, options, observer);
  FUZZ_INVARIANT(status.ok() || !status.message().empty());
  FUZZ_INVARIANT(!absl::IsUnimplemented(status) && !absl::IsUnavailable(status));
  return observer.said + status.ToString();
}

std::string LoadAsFile(std::string_view bytes) {
  const int fd = memfd_create("archive", MFD_CLOEXEC);
  FUZZ_INVARIANT(fd >= 0);
  FUZZ_INVARIANT(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  std::string said = Load(fd);
  close(fd);
  return said;
}

std::string LoadAsStream(std::string_view bytes) {
  int ends[2] = {-1, -1};
  FUZZ_INVARIANT(pipe(ends) == 0);
  FUZZ_INVARIANT(write(ends[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  close(ends[1]);
  std::string said = Load(ends[0]);
  close(ends[0]);
  return said;
}

bool IsNormal(std::string_view name) {
  const std::string padded = StrCat("/", name, "/");
  return name.empty() ||
         (padded.find("//") == std::string::npos && padded.find("/./") == std::string::npos &&
          padded.find("/../") == std::string::npos);
}

void CheckNames(std::string_view text) {
  const absl::StatusOr<std::string> name = NormalizeEntryName(text);
  if (name.ok()) {
    FUZZ_INVARIANT(IsNormal(*name) && *NormalizeEntryName(*name) == *name);
    const absl::StatusOr<std::string> target = ResolveLink(*name, text);
    FUZZ_INVARIANT(!target.ok() || (IsNormal(*target) && !target->empty()));
  }
  const std::optional<Digest> digest = DigestOfBlobEntry(text);
  FUZZ_INVARIANT(!digest || BlobEntryName(*digest) == text);
  const absl::StatusOr<ArchiveImageName> familiar = ForeignName(text);
  if (familiar.ok()) {
    FUZZ_INVARIANT(ValidateRepositoryName(familiar->repository).ok());
    FUZZ_INVARIANT(familiar->tag.empty() || ValidateTag(familiar->tag).ok());
  }
  const std::string quoted = Quoted(text);
  FUZZ_INVARIANT(quoted.size() < 210 && std::none_of(quoted.begin(), quoted.end(), [](char c) {
                   return (c >= 0 && c < ' ') || c == 127;
                 }));
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > varve::kMaxPipeBytes) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  varve::CheckNames(input.substr(0, input.find('\n')));
  FUZZ_INVARIANT(varve::LoadAsFile(input) == varve::LoadAsStream(input));
  return 0;
}
