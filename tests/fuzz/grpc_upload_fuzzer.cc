// One Write stream of the native door: any messages in any order, cut into any pieces, over a real
// store. The input is a list of messages, each after its length in one byte; a length of 255 ends
// the stream as a half-close does, instead of a broken connection.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/grpc/blob_messages.h"
#include "daemon/grpc/blob_upload.h"
#include "storage/engine.h"
#include "tests/fuzz/invariant.h"
#include "tests/support/temporary_directory.h"

namespace varve {
namespace {

// A store in a directory that goes with the process.
class ScratchStore {
 public:
  ScratchStore() {
    EngineOptions options;
    options.min_free_bytes = 0;
    options.reserve_bytes = 0;
    absl::StatusOr<std::unique_ptr<Engine>> store =
        OpenEngine(directory_.path() + "/data", options);
    FUZZ_INVARIANT(store.ok());
    store_ = *std::move(store);
  }

  const Store& operator*() { return *store_; }

 private:
  const TemporaryDirectory directory_;
  std::unique_ptr<Engine> store_;
};

// The short way for data messages sees what the general parser sees.
void CheckFindData(const std::string& message, size_t cut) {
  const std::string_view whole(message);
  const std::vector<std::string_view> pieces = {whole.substr(0, cut), std::string_view(),
                                                whole.substr(cut)};
  std::vector<std::string_view> data;
  if (!FindData(pieces, &data)) return;
  std::string joined;
  for (const std::string_view piece : data) joined.append(piece);
  v1::WriteRequest parsed;
  FUZZ_INVARIANT(parsed.ParseFromString(message));
  FUZZ_INVARIANT(parsed.part_case() == v1::WriteRequest::kData && parsed.data() == joined);
}

// What is sent by hand is what the general parser reads.
void CheckReadHead(uint64_t offset, uint64_t blob_size_bytes, const std::string& data) {
  v1::ReadResponse parsed;
  FUZZ_INVARIANT(
      parsed.ParseFromString(EncodeReadHead(offset, blob_size_bytes, data.size()) + data));
  FUZZ_INVARIANT(parsed.offset() == offset && parsed.blob_size_bytes() == blob_size_bytes);
  FUZZ_INVARIANT(parsed.data() == data);
}

void Forget(Blobs& blobs, const v1::WriteRequest::Header& header) {
  if (header.upload_id().empty()) return;
  const absl::StatusOr<std::unique_ptr<OpenUpload>> left =
      blobs.ResumeUpload(header.repository(), header.upload_id());
  if (left.ok()) FUZZ_INVARIANT((*left)->Abort().ok());
}

void CheckStream(const Store& store, std::string_view input) {
  v1::WriteResponse response;
  BlobUpload upload(store.blobs, store.claims, response, /*lease=*/{});
  std::vector<v1::WriteRequest::Header> headers;
  uint64_t sent_bytes = 0;
  bool half_closed = false;
  bool complete = false;
  while (!complete && !input.empty()) {
    const auto length = static_cast<uint8_t>(input.front());
    input.remove_prefix(1);
    half_closed = length == 255;
    if (half_closed) break;
    const std::string message(input.substr(0, length));
    input.remove_prefix(message.size());
    CheckFindData(message, message.size() / 2);
    CheckReadHead(sent_bytes, uint64_t{length} << (length % 57), message);
    v1::WriteRequest request;
    if (!request.ParseFromString(message)) break;
    if (request.has_header()) headers.push_back(request.header());
    sent_bytes += request.data().size();
    const absl::StatusOr<bool> taken = upload.Take(request);
    if (!taken.ok()) break;
    complete = *taken;
  }
  FUZZ_INVARIANT(upload.received_bytes() <= sent_bytes);
  FUZZ_INVARIANT(complete == response.has_blob());
  static_cast<void>(upload.End(half_closed));
  for (const v1::WriteRequest::Header& header : headers) Forget(store.blobs, header);
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static varve::ScratchStore store;
  varve::CheckStream(*store, {reinterpret_cast<const char*>(data), size});
  return 0;
}
