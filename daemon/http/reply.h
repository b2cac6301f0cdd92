// What a handler answers, and how it goes out on the wire. Reply is a value that one worker owns.
#ifndef VARVE_DAEMON_HTTP_REPLY_H_
#define VARVE_DAEMON_HTTP_REPLY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "daemon/http/request.h"
#include "daemon/http/socket.h"
#include "storage/base/file_system.h"

namespace varve {

// A part of a file in a body of several, with the text before it.
struct FilePart {
  std::string head;
  Extent extent;
  uint64_t end_bytes = 0;  // where it ends in the body
};

struct Reply {
  int status = 200;
  std::string headers;  // complete lines, "Name: value\r\n" each
  std::string body;
  std::unique_ptr<ReadableFile> file;  // when set, its `extent` is the body, or its `parts` are
  Extent extent;
  std::vector<FilePart> parts;     // then `body` comes behind the last
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

  // What is to be sent from `offset_bytes` of the body on, as far as it is in one place: text, or
  // else a part of `file`. Both empty at the end.
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

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string* out, std::string_view text);

struct SendOptions {
  std::string_view request_id;
  bool keep_alive = true;
  bool head_only = false;  // the request was HEAD
  bool http_1_0 = false;
};

// Sends all of it; errors of SendAll and SendFilePart.
absl::Status SendReply(int fd, const Reply& reply, const SendOptions& options, Pace* pace);

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_REPLY_H_
