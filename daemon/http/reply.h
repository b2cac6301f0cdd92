// What a handler answers, and how it goes out on the wire. Values that belong to one connection.
#ifndef VARVE_DAEMON_HTTP_REPLY_H_
#define VARVE_DAEMON_HTTP_REPLY_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/http/pace.h"
#include "daemon/http/request.h"
#include "storage/base/file_system.h"
#include "storage/base/json_text.h"

namespace varve {

// A part of a source in a body of several, with the text before it.
struct SourcePart {
  std::string head;
  Extent extent;
  uint64_t end_bytes = 0;  // where it ends in the body
};

struct Reply {
  int status = 200;
  std::string headers;  // complete lines, "Name: value\r\n" each
  std::string body;
  std::unique_ptr<ReadableBytes> source;  // when set, its `extent` is the body, or its `parts` are
  Extent extent;
  std::vector<SourcePart> parts;   // then `body` comes behind the last
  uint64_t head_length_bytes = 0;  // Content-Length of the answer to HEAD, which has no body
  bool close = false;              // the connection cannot go on after this
  bool abandoned = false;          // the client has gone: nothing is sent

  // For the log line.
  std::string digest;  // of the content that was pushed, pulled or deleted
  std::string_view error_code;
  absl::Status cause;

  // `value` must be free of line breaks: parsed names, digests and numbers are.
  void AddHeader(std::string_view name, std::string_view value);
  void AddDigest(std::string_view text);  // Docker-Content-Digest
  void AddPart(std::string head, const Extent& part);
  uint64_t length_bytes() const;  // of the body
  size_t held_bytes() const;      // in memory

  // What is to be sent from `offset_bytes` of the body on, as far as it is in one place: text, or
  // else a part of `source` that is not in memory. Both empty at the end.
  struct Piece {
    std::string_view text;
    Extent extent;
  };
  Piece PieceAt(uint64_t offset_bytes) const;
};

// {"errors":[{"code":…,"message":…,"detail":…}]} as the OCI specification has it. `detail_json` is
// a JSON value, or empty.
Reply ErrorReply(int http_status, std::string_view oci_code, std::string_view message,
                 std::string_view detail_json = {});

// Of text in a body: whatever it is, the body is JSON and shows on a terminal.
inline constexpr JsonEscapes kReplyEscapes{.hidden = [](uint32_t code) { return code == 0x7f; },
                                           .bad_bytes = JsonEscapes::BadBytes::kReplaced};

struct SendOptions {
  std::string_view request_id;
  bool keep_alive = true;
  bool head_only = false;  // the request was HEAD
  bool http_1_0 = false;
};

// One of the few places of those who may have more in the send buffer. Thread-safe.
class FastReader {
 public:
  // Null when all are taken: 64, which hold 128 MiB.
  static std::unique_ptr<FastReader> Take();
  ~FastReader();
  FastReader(const FastReader&) = delete;
  FastReader& operator=(const FastReader&) = delete;

 private:
  FastReader() = default;
};

// One reply on its way out, as far as there is room each time.
class ReplySender {
 public:
  ReplySender(Reply reply, const SendOptions& options, const Pace& pace);

  enum class Progress {
    kAll,     // is out
    kPart,    // call again; whoever waits for the thread may have it first
    kNoRoom,  // call again when there is
  };
  // Errors of SendNow and SendFileNow, and of reading the source.
  absl::StatusOr<Progress> Send(int fd, Patience& patience);

  const Reply& reply() const { return reply_; }
  uint64_t body_bytes_sent() const { return body_sent_; }
  // What it keeps in memory.
  size_t held_bytes() const { return head_.capacity() + reply_.held_bytes(); }
  Pace& pace() { return pace_; }

 private:
  absl::StatusOr<size_t> SendSome(int fd);
  absl::StatusOr<size_t> SendFromSource(int fd, Extent extent);
  absl::StatusOr<size_t> SendByReading(int fd, Extent extent);
  // Gives a reader that keeps up more room, and takes it back when all is out.
  void AdjustRoom(int fd);

  Reply reply_;
  std::string head_;
  size_t head_sent_ = 0;
  uint64_t body_bytes_ = 0;  // to be sent: none to a HEAD
  uint64_t body_sent_ = 0;
  Pace pace_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  bool judged_ = false;  // whether its reader keeps up
  std::unique_ptr<FastReader> fast_;
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_REPLY_H_
