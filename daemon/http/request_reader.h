// Reads requests from one connection: the head through Boost.Beast's parser, a body of known length
// from the socket straight into the worker's buffer, a chunked body through the parser. The only
// user of Beast. It waits for nobody: what has not come yet is asked for again in a later turn, by
// whichever thread then has the connection, with the buffer of that thread.
#ifndef VARVE_DAEMON_HTTP_REQUEST_READER_H_
#define VARVE_DAEMON_HTTP_REQUEST_READER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/http/connection.h"
#include "daemon/http/pace.h"
#include "daemon/http/request.h"
#include "daemon/http/server.h"

namespace varve {

inline constexpr size_t kMaxHeaderBytes = 64 * 1024;
inline constexpr size_t kMaxHeaderFields = 100;
// One recv for a head takes no more, so that what must be kept for later stays small.
inline constexpr size_t kMaxUnreadBytes = 2 * kMaxHeaderBytes;
// A body that was refused is read to its end up to here, to keep the connection.
inline constexpr uint64_t kMaxDrainBytes = 1 << 20;

// The bytes of one worker, used again for each connection. 256 KiB: large enough that system calls
// do not count, small enough that copying, hashing and writing one piece stay in a core's cache.
class IoBuffer {
 public:
  static constexpr size_t kBytes = 256 * 1024;
  IoBuffer();
  ~IoBuffer();
  IoBuffer(const IoBuffer&) = delete;
  IoBuffer& operator=(const IoBuffer&) = delete;
  char* data() { return data_; }

 private:
  char* data_;
};

class RequestReader {
 public:
  // Both must outlive the reader.
  RequestReader(Connection& connection, const HttpServerOptions& options);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // A turn begins with `connection.unread` and ends with what is left there. The buffer must
  // outlive the turn. Outside of one only the accessors of the request may be called.
  void BeginTurn(IoBuffer& buffer);
  void EndTurn();

  enum class Head {
    kComplete,    // request() is set
    kIncomplete,  // ask again when there is more
    kClosed,      // the client has gone
    kRefused,     // answer refusal(), then close
  };
  struct Refusal {
    int http_status = 400;
    std::string message;
  };

  // Reads the next head; the body before it must have been read.
  Head ReadHead(Patience& patience);
  const Request& request() const { return request_; }
  // What it keeps of the head until the next one: its fields, in the parser and in the request.
  size_t held_bytes() const { return 2 * head_bytes_; }
  const Refusal& refusal() const { return refusal_; }

  struct BodyPart {
    enum class Kind {
      kBytes,       // `bytes`, valid until the next call and the end of the turn
      kEnd,         // of the body
      kNothingYet,  // ask again when there is more
      kNoRoom,      // 100 Continue must go out first: ask again when there is room to send into
      kFailed,      // `status`
    } kind = Kind::kNothingYet;
    std::string_view bytes;
    absl::Status status;
  };
  // The next piece of the body. Sends 100 Continue first when the client waits for it. What arrived
  // before an error is always given out before it.
  //   Cancelled         the client has gone
  //   InvalidArgument   malformed chunked encoding
  BodyPart NextBody(Patience& patience);

  bool body_done() const;
  // Of a body of known length: so many bytes have still to come. 0 when that is not known.
  uint64_t body_bytes_left() const { return left_; }
  uint64_t body_bytes() const { return body_bytes_; }  // given out so far
  Pace& pace() { return pace_; }                       // of the body
  // The rest of the body is known to be short, and the client sends it anyway.
  bool worth_draining() const;
  // From now on the rest of the body has to come within a few seconds.
  void HurryBody();

  // Bytes of the next request that came with this one.
  bool has_leftover() const { return begin_ < end_; }

 private:
  struct Parser;

  Head Refuse(int http_status, std::string message);
  void SkipEmptyLines();
  Head ParseHead(size_t head_bytes);
  Head CopyHead();
  void MoveToFront(size_t to);
  BodyPart NextFixed(Patience& patience);
  BodyPart NextChunked(Patience& patience);
  bool ReceiveInto(size_t room, bool good_piece, Patience& patience);

  Connection& connection_;
  const HttpServerOptions& options_;
  char* buffer_ = nullptr;  // of this turn
  size_t begin_ = 0;        // [begin_, end_) of the buffer: received, not yet given out
  size_t end_ = 0;

  std::unique_ptr<Parser> parser_;
  Request request_;
  size_t head_bytes_ = 0;
  Refusal refusal_;
  int empty_lines_ = 0;  // skipped before this head
  uint64_t left_ = 0;    // of a body of known length
  uint64_t body_bytes_ = 0;
  std::string_view continue_left_;  // of the interim answer that the client waits for
  bool chunks_in_place_ = false;
  Pace pace_;
  absl::Status later_;  // an error that came after bytes that had to be given out first
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_REQUEST_READER_H_
