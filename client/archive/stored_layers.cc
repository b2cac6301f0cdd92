#include "client/archive/stored_layers.h"

#include <optional>
#include <string_view>
#include <thread>

#include "client/archive/byte_queue.h"
#include "client/archive/entry_name.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"

namespace varve {
namespace {

// The bytes of a blob of the store, fetched by a thread.
class BlobStream {
 public:
  BlobStream(Client& client, const Digest& digest)
      : thread_([this, &client, digest] {
          const ByteSink sink = [this](std::string_view bytes) {
            return queue_.Push(bytes) ? absl::OkStatus() : absl::CancelledError("not wanted");
          };
          queue_.End(client.GetBlob(digest, sink, {}).status());
        }) {}
  ~BlobStream() {
    queue_.Abandon();
    thread_.join();
  }
  BlobStream(const BlobStream&) = delete;
  BlobStream& operator=(const BlobStream&) = delete;

  absl::StatusOr<std::string_view> Next() { return queue_.Take(); }

 private:
  ByteQueue queue_;
  std::thread thread_;  // last, for it uses the rest
};

// What is wrong with the layer when it cannot be inflated: the daemon's errors are not its fault.
absl::Status Blame(const absl::Status& status, const UploadedLayer& layer) {
  if (absl::IsInvalidArgument(status)) {
    return absl::DataLossError(StrCat("the archive is damaged: its layer ", Quoted(layer.name),
                                      ": ", ToStd(status.message())));
  }
  if (!absl::IsResourceExhausted(status)) return status;
  return absl::InvalidArgumentError(
      StrCat("its layer ", Quoted(layer.name), ": ", ToStd(status.message())));
}

absl::Status OtherDiffId(const UploadedLayer& layer, const Digest& found) {
  return absl::DataLossError(
      StrCat("the archive is damaged: its layer ", Quoted(layer.name), " is ", found.ToString(),
             " when it is uncompressed; the config says ", layer.diff_id.ToString()));
}

}  // namespace

absl::Status StoredLayers::Check(const UploadedLayer& layer) {
  if (layer.digest == layer.diff_id || right_.contains({layer.digest, layer.diff_id})) {
    return absl::OkStatus();
  }
  BlobStream blob(client_, layer.digest);
  InflatedStream inflated([&blob] { return blob.Next(); });
  Hasher hasher(layer.diff_id.algorithm());
  for (;;) {
    uploader_.RenewPromises();
    const absl::StatusOr<std::string_view> bytes = inflated.Next();
    if (!bytes.ok()) return Blame(bytes.status(), layer);
    if (bytes->empty()) break;
    hasher.Update(*bytes);
  }
  if (!(hasher.Current() == layer.diff_id)) return OtherDiffId(layer, hasher.Current());
  right_.insert({layer.digest, layer.diff_id});
  return absl::OkStatus();
}

absl::StatusOr<Compression> StoredLayers::CompressionOf(const Digest& digest) {
  BlobStream blob(client_, digest);
  ASSIGN_OR_RETURN(const std::string_view first_bytes, blob.Next());
  return DetectCompression(first_bytes);
}

absl::StatusOr<uint64_t> StoredLayers::Unpack(const UploadedLayer& layer) {
  BlobStream blob(client_, layer.digest);
  InflatedStream inflated([&blob] { return blob.Next(); });
  absl::Status inflate_status;
  const auto read = [&](uint64_t, char* out, size_t limit) {
    absl::StatusOr<size_t> size = inflated.Read(out, limit);
    if (!size.ok()) size = inflate_status = Blame(size.status(), layer);
    return size;
  };
  ByteSource source(read, std::nullopt, layer.diff_id.algorithm());
  // The uploader must be told only of an algorithm that is not its usual one.
  std::optional<Digest> expected;
  if (layer.diff_id.algorithm() != DigestAlgorithm::kSha256) expected = layer.diff_id;
  const absl::StatusOr<Digest> digest = uploader_.Upload(
      {.name = layer.name, .expected = expected, .size_bytes = layer.size_bytes, .upload_id = ""},
      source);
  RETURN_IF_ERROR(inflate_status);
  RETURN_IF_ERROR(digest.status());
  if (!(*digest == layer.diff_id)) return OtherDiffId(layer, *digest);
  return source.offset();
}

}  // namespace varve
