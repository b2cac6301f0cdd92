#include "daemon/grpc/blob_streams.h"

#include <grpc/slice.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "daemon/grpc/blob_messages.h"
#include "daemon/grpc/blob_upload.h"
#include "daemon/leased_call.h"
#include "proto/convert/values.h"
#include "storage/base/mutex.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "varve/v1/blobs.pb.h"

namespace varve {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr CallKind kWrite{"Blobs.Write", About::kUpload, true};
constexpr CallKind kRead{"Blobs.Read", About::kBlob, false};

// A client that takes nothing for so long gets its next message made when it takes the one before.
constexpr std::chrono::milliseconds kForgetAheadAfter{1000};
// While memory is short, another one may have its place; when there is none left, at once. One that
// takes what it gets is never the one that waits longest.
constexpr std::chrono::milliseconds kGiveWayAfter{100};

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
  // nullopt: it is not the client's.
  std::optional<SteadyTime> ClientSince() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (turn_ == Turn::kServer) return std::nullopt;
    return since_;
  }
  bool ClientStalled(SteadyTime now, std::chrono::milliseconds limit) ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::optional<SteadyTime> since = ClientSince();
    return since && now - *since >= limit;
  }

 private:
  Mutex mutex_;
  Turn turn_ ABSL_GUARDED_BY(mutex_) = Turn::kServer;
  SteadyTime since_ ABSL_GUARDED_BY(mutex_);
};

std::string_view View(const grpc::Slice& slice) {
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

class WriteStream final : public grpc::ServerReadReactor<grpc::ByteBuffer>, public WatchedStream {
 public:
  WriteStream(GrpcDoor& door, grpc::CallbackServerContext& context, grpc::ByteBuffer& encoded)
      : door_(door),
        context_(context),
        record_(BeginCall(kWrite, context)),
        upload_(door.store.blobs, door.store.claims, response_, LeaseOf(context)),
        encoded_response_(encoded) {
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
    slices_.clear();  // a stream that waits holds no memory of its last message
    encoded_request_.Clear();
    turns_.GiveToClient();
    StartRead(&encoded_request_);
  }

  void TakeMessage() {
    if (context_.IsCancelled()) return TakeEnd();
    const absl::StatusOr<bool> complete = TakeEncoded();
    if (complete.ok() && !*complete) return ReadNext();
    static_cast<void>(upload_.End(false));  // the error that ended it is the one to report
    EndWith(complete.status());
  }

  absl::StatusOr<bool> TakeEncoded() {
    // What cannot be shown has no pieces here, and is refused by the parser.
    static_cast<void>(encoded_request_.Dump(&slices_));
    pieces_.clear();
    for (const grpc::Slice& slice : slices_) pieces_.push_back(View(slice));
    if (FindData(pieces_, &data_)) {
      RETURN_IF_ERROR(upload_.TakeData(data_));
      return false;
    }
    v1::WriteRequest request;
    RETURN_IF_ERROR(ParseMessage(encoded_request_, &request));
    return upload_.Take(request);
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
    const grpc::Slice slice(response_.SerializeAsString());
    encoded_response_ = grpc::ByteBuffer(&slice, 1);
    Finish(EndCall(record_, status, upload_.repository(), upload_.received_bytes()));
  }

  GrpcDoor& door_;
  grpc::CallbackServerContext& context_;
  CallRecord record_;
  v1::WriteResponse response_;
  BlobUpload upload_;
  grpc::ByteBuffer encoded_request_;
  // Of the message in hand; kept only so that their memory is used again.
  std::vector<grpc::Slice> slices_;
  std::vector<std::string_view> pieces_;
  std::vector<std::string_view> data_;
  grpc::ByteBuffer& encoded_response_;
  TurnTaking turns_;
};

// A message is sent while the next one is made ahead, as long as memory for messages is plenty.
class ReadStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public WatchedStream {
 public:
  ReadStream(GrpcDoor& door, grpc::CallbackServerContext& context, const v1::ReadRequest& request)
      : door_(door), context_(context), record_(BeginCall(kRead, context)), request_(request) {
    door_.watch.Add(this);
    door_.workers.Submit([this] { Begin(); });
  }

  void OnWriteDone(bool ok) override {
    turns_.TakeFromClient();
    {
      MutexLock lock(mutex_);
      written_ = ok;
      if (ok) taken_end_ = sent_end_;
      sending_ = false;
      if (ahead_ == Ahead::kInTheMaking) return;  // who makes it goes on
    }
    GoOn();
  }

  void OnDone() override {
    door_.watch.Remove(this);
    delete this;
  }

  void EndIfStalled(SteadyTime now) override {
    // A status would wait behind the message that the client does not take. Cancelling fails that
    // message, and OnWriteDone goes on from there.
    if (turns_.ClientStalled(now, door_.stall_timeout)) return context_.TryCancel();
    if (turns_.ClientStalled(now, kForgetAheadAfter)) ForgetAhead();
  }

  std::optional<SteadyTime> HoldsMemorySince() override { return turns_.ClientSince(); }
  void GiveWay() override { context_.TryCancel(); }

 private:
  // What there is of the message after the one that is being sent.
  enum class Ahead { kNone, kInTheMaking, kMade };

  void Begin() {
    MakeRoom();
    absl::Status ready = Open();
    if (ready.ok()) ready = Fill();
    ready.ok() ? Send() : EndWith(ready);
  }

  // Refuses nobody: who comes may be the only one that takes what it asks for.
  void MakeRoom() {
    if (!door_.message_memory.crowded()) return;
    door_.watch.EndLongestWaiting(door_.message_memory.exhausted() ? std::chrono::milliseconds(0)
                                                                   : kGiveWayAfter);
  }

  absl::Status Open() {
    if (context_.IsCancelled()) return absl::CancelledError("the client cancelled");
    ASSIGN_OR_RETURN(const Digest digest, RequiredDigest("digest", request_.digest()));
    RETURN_IF_ERROR(AttachTo(door_.store.claims, LeaseOf(context_), {digest}));
    ASSIGN_OR_RETURN(reader_, door_.store.blobs.OpenBlob(request_.repository(), digest));
    const uint64_t size = reader_.info.size_bytes;
    if (request_.offset() > size) {
      return absl::OutOfRangeError(StrCat("offset ", request_.offset(),
                                          " lies past the end of the blob of ", size, " bytes"));
    }
    next_ = request_.offset();
    end_ = request_.length() == 0 ? size : next_ + std::min(request_.length(), size - next_);
    return absl::OkStatus();
  }

  // Sends the message that Fill made, and makes the next one meanwhile.
  void Send() {
    response_.Clear();
    response_.Swap(&next_message_);
    sent_end_ = next_;
    if (next_ == end_) {
      // The stream may be gone when this returns, as with Finish.
      turns_.GiveToClient();
      StartWriteAndFinish(
          &response_, grpc::WriteOptions(),
          EndCall(record_, absl::OkStatus(), request_.repository(), end_ - request_.offset()));
      return;
    }
    const bool ahead = door_.message_memory.plenty();
    {
      MutexLock lock(mutex_);
      sending_ = true;
      ahead_ = ahead ? Ahead::kInTheMaking : Ahead::kNone;
    }
    turns_.GiveToClient();
    StartWrite(&response_);
    if (!ahead) return;  // nothing of the stream may be touched: OnWriteDone goes on
    // Never from here: this may be a thread of the library, which must not wait for the disk.
    door_.workers.Submit([this] {
      filled_ = Fill();
      {
        MutexLock lock(mutex_);
        ahead_ = Ahead::kMade;
        if (sending_) return;  // OnWriteDone goes on
      }
      GoOn();
    });
  }

  // After a message was sent, and no other is in the making.
  void GoOn() {
    if (!written_ || context_.IsCancelled()) {
      return EndWith(absl::CancelledError("the client went away or takes no data"));
    }
    if (ahead_ == Ahead::kMade) {
      filled_.ok() ? Send() : EndWith(filled_);
      return;
    }
    door_.workers.Submit([this] {
      filled_ = Fill();
      filled_.ok() ? Send() : EndWith(filled_);
    });
  }

  // The message after the one that the client does not take is made again when it is wanted.
  void ForgetAhead() {
    MutexLock lock(mutex_);
    if (!sending_ || ahead_ != Ahead::kMade) return;
    next_message_.Clear();
    next_ = sent_end_;
    ahead_ = Ahead::kNone;
  }

  // Makes `next_message_` of the bytes from next_ on, which are read to where they are sent from.
  absl::Status Fill() {
    const size_t most = door_.message_memory.plenty() ? kReadDataBytes : kShortReadDataBytes;
    const ReadableBytes& bytes = *reader_.bytes;
    const auto length =
        static_cast<size_t>(std::min({uint64_t{most}, end_ - next_, bytes.Available(next_)}));
    const std::string head = EncodeReadHead(next_, reader_.info.size_bytes, length);
    grpc_slice message = door_.message_memory.New(head.size() + length);
    const grpc::Slice slice(message, grpc::Slice::STEAL_REF);
    char* const start = reinterpret_cast<char*>(GRPC_SLICE_START_PTR(message));
    head.copy(start, head.size());
    ASSIGN_OR_RETURN(const size_t read,
                     bytes.ReadAt(next_, absl::MakeSpan(start + head.size(), length)));
    if (read != length || (length == 0 && next_ < end_)) {
      return absl::DataLossError(StrCat("the file of blob ", reader_.info.digest.ToString(),
                                        " is shorter than the blob; run varve fsck"));
    }
    next_message_ = grpc::ByteBuffer(&slice, 1);
    next_ += length;
    return absl::OkStatus();
  }

  // Nothing of the stream may be touched after it: the call may be over at once.
  void EndWith(const absl::Status& status) {
    const uint64_t sent_bytes = taken_end_ == 0 ? 0 : taken_end_ - request_.offset();
    Finish(EndCall(record_, status, request_.repository(), sent_bytes));
  }

  GrpcDoor& door_;
  grpc::CallbackServerContext& context_;
  CallRecord record_;
  const v1::ReadRequest request_;
  BlobReader reader_;
  uint64_t next_ = 0;       // where the message after `next_message_` begins
  uint64_t sent_end_ = 0;   // and the one after `response_`
  uint64_t taken_end_ = 0;  // and the one after what the client has taken
  uint64_t end_ = 0;
  grpc::ByteBuffer response_;      // being sent
  grpc::ByteBuffer next_message_;  // made by Fill
  absl::Status filled_;
  TurnTaking turns_;
  // Between Send and GoOn the sender, the maker and the watch share these; what Fill writes belongs
  // to its thread while ahead_ is kInTheMaking, and to whoever holds the mutex after that.
  Mutex mutex_;
  bool sending_ = false;
  bool written_ = false;
  Ahead ahead_ = Ahead::kNone;
};

}  // namespace

CallHandler NewReadHandler(GrpcDoor& door) {
  return NewServerStreamHandler<v1::ReadRequest, grpc::ByteBuffer>(
      kRead, [&door](grpc::CallbackServerContext& context, const v1::ReadRequest& request) {
        return new ReadStream(door, context, request);
      });
}

CallHandler NewWriteHandler(GrpcDoor& door) {
  const auto begin = [&door](grpc::CallbackServerContext* context, grpc::ByteBuffer* response) {
    return new WriteStream(door, *context, *response);
  };
  return {MethodIndex(kWrite.name),
          new grpc::internal::CallbackClientStreamingHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
              begin)};
}

}  // namespace varve
