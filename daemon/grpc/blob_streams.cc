#include "daemon/grpc/blob_streams.h"

#include <algorithm>
#include <memory>
#include <string>

#include "absl/types/span.h"
#include "daemon/grpc/blob_upload.h"
#include "daemon/grpc/messages.h"
#include "storage/base/mutex.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr CallKind kWrite{"Blobs.Write", Subject::kUpload, true};
constexpr CallKind kRead{"Blobs.Read", Subject::kBlob, false};

constexpr size_t kReadMessageBytes = kMiB;  // as blobs.proto says

// Whose turn it is. Only the side whose turn it is may go on; that makes a stream single-threaded.
enum class Turn { kClient, kServer };

// Remembers whose turn it is, and since when it is the client's. Thread-safe.
class TurnTaking {
 public:
  void GiveToClient() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    turn_ = Turn::kClient;
    since_ = std::chrono::steady_clock::now();
  }
  // False when it is the server's turn already.
  bool TakeFromClient() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (turn_ == Turn::kServer) return false;
    turn_ = Turn::kServer;
    return true;
  }
  bool ClientStalled(SteadyTime now, std::chrono::milliseconds limit) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return turn_ == Turn::kClient && now - since_ >= limit;
  }

 private:
  Mutex mutex_;
  Turn turn_ ABSL_GUARDED_BY(mutex_) = Turn::kServer;
  SteadyTime since_ ABSL_GUARDED_BY(mutex_);
};

class WriteStream final : public grpc::ServerReadReactor<v1::WriteRequest>, public WatchedStream {
 public:
  WriteStream(GrpcDoor& door, grpc::CallbackServerContext& context, v1::WriteResponse& response)
      : door_(door),
        context_(context),
        record_(BeginCall(kWrite, context)),
        upload_(door.store, response) {
    door_.watch.Add(this);
    ReadNext();
  }

  void OnReadDone(bool ok) override {
    if (!turns_.TakeFromClient()) return;  // ended as stalled meanwhile
    door_.workers.Submit([this, ok] { ok ? TakeMessage() : TakeEnd(); });
  }

  void OnDone() override {
    door_.watch.Remove(this);
    delete this;
  }

  void EndIfStalled(SteadyTime now) override {
    if (!turns_.ClientStalled(now, door_.stall_timeout) || !turns_.TakeFromClient()) return;
    door_.workers.Submit([this] {
      static_cast<void>(upload_.End(false));
      EndWith(
          absl::DeadlineExceededError(StrCat("no message came for ", door_.stall_timeout.count(),
                                             " ms; resume the upload with a new stream")));
    });
  }

 private:
  void ReadNext() {
    turns_.GiveToClient();
    StartRead(&request_);
  }

  void TakeMessage() {
    if (context_.IsCancelled()) return TakeEnd();
    const absl::StatusOr<bool> complete = upload_.Take(request_);
    if (complete.ok() && !*complete) return ReadNext();
    static_cast<void>(upload_.End(false));  // the error that ended it is the one to report
    EndWith(complete.status());
  }

  void TakeEnd() {
    if (context_.IsCancelled()) {
      static_cast<void>(upload_.End(false));
      return EndWith(absl::CancelledError("the client cancelled"));
    }
    EndWith(upload_.End(true));
  }

  // Nothing of the stream may be touched after it: the call may be over at once.
  void EndWith(const absl::Status& status) {
    Finish(EndCall(record_, status, upload_.repository(), upload_.received_bytes()));
  }

  GrpcDoor& door_;
  grpc::CallbackServerContext& context_;
  CallRecord record_;
  BlobUpload upload_;
  v1::WriteRequest request_;
  TurnTaking turns_;
};

class ReadStream final : public grpc::ServerWriteReactor<v1::ReadResponse>, public WatchedStream {
 public:
  ReadStream(GrpcDoor& door, grpc::CallbackServerContext& context, const v1::ReadRequest& request)
      : door_(door), context_(context), record_(BeginCall(kRead, context)), request_(request) {
    door_.watch.Add(this);
    door_.workers.Submit([this] { Begin(); });
  }

  void OnWriteDone(bool ok) override {
    if (!turns_.TakeFromClient()) return;
    door_.workers.Submit([this, ok] {
      ok ? SendNext() : EndWith(absl::CancelledError("the client went away or takes no data"));
    });
  }

  void OnDone() override {
    door_.watch.Remove(this);
    delete this;
  }

  void EndIfStalled(SteadyTime now) override {
    // A status would wait behind the message that the client does not take. Cancelling fails that
    // message, and OnWriteDone goes on from there.
    if (turns_.ClientStalled(now, door_.stall_timeout)) context_.TryCancel();
  }

 private:
  void Begin() {
    const absl::Status opened = Open();
    opened.ok() ? SendNext() : EndWith(opened);
  }

  absl::Status Open() {
    ASSIGN_OR_RETURN(const Digest digest, RequiredDigest("digest", request_.digest()));
    ASSIGN_OR_RETURN(reader_, door_.store.OpenBlob(request_.repository(), digest));
    const uint64_t size = reader_.info.size_bytes;
    if (request_.offset() > size) {
      return absl::OutOfRangeError(StrCat("offset ", request_.offset(),
                                          " lies past the end of the blob of ", size, " bytes"));
    }
    next_ = request_.offset();
    end_ = request_.length() == 0 ? size : next_ + std::min(request_.length(), size - next_);
    response_.set_blob_size_bytes(size);
    return absl::OkStatus();
  }

  void SendNext() {
    if (context_.IsCancelled()) return EndWith(absl::CancelledError("the client cancelled"));
    const size_t length = static_cast<size_t>(std::min<uint64_t>(kReadMessageBytes, end_ - next_));
    const absl::Status filled = Fill(length);
    if (!filled.ok()) return EndWith(filled);
    response_.set_offset(next_);
    next_ += length;
    if (next_ < end_) {
      turns_.GiveToClient();
      StartWrite(&response_);
      return;
    }
    // The stream may be gone when this returns, as with Finish.
    turns_.GiveToClient();
    StartWriteAndFinish(&response_, grpc::WriteOptions(),
                        EndCall(record_, absl::OkStatus(), request_.repository(), SentBytes()));
  }

  // Puts the `length` bytes from next_ on into the message, whose buffer is used again each time.
  absl::Status Fill(size_t length) {
    std::string& data = *response_.mutable_data();
    data.resize(length);
    if (reader_.file == nullptr) {
      data.assign(reader_.inline_bytes, static_cast<size_t>(next_), length);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const size_t read, reader_.file->ReadAt(next_, absl::MakeSpan(data)));
    if (read != length) return absl::DataLossError("the file of the blob is shorter than the blob");
    return absl::OkStatus();
  }

  uint64_t SentBytes() const { return next_ - request_.offset(); }

  // Nothing of the stream may be touched after it: the call may be over at once.
  void EndWith(const absl::Status& status) {
    Finish(EndCall(record_, status, request_.repository(), status.ok() ? SentBytes() : 0));
  }

  GrpcDoor& door_;
  grpc::CallbackServerContext& context_;
  CallRecord record_;
  const v1::ReadRequest& request_;  // lives as long as the call
  BlobReader reader_;
  uint64_t next_ = 0;
  uint64_t end_ = 0;
  v1::ReadResponse response_;
  TurnTaking turns_;
};

}  // namespace

grpc::ServerReadReactor<v1::WriteRequest>* NewWriteStream(GrpcDoor& door,
                                                          grpc::CallbackServerContext* context,
                                                          v1::WriteResponse* response) {
  return new WriteStream(door, *context, *response);
}

grpc::ServerWriteReactor<v1::ReadResponse>* NewReadStream(GrpcDoor& door,
                                                          grpc::CallbackServerContext* context,
                                                          const v1::ReadRequest* request) {
  return new ReadStream(door, *context, *request);
}

}  // namespace varve
