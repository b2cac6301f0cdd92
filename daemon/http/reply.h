// What a handler answers, and how it goes out on the wire. Reply is a value that one worker owns.
#ifndef VARVE_DAEMON_HTTP_REPLY_H_
#define VARVE_DAEMON_HTTP_REPLY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "daemon/http/request.h"
#include "daemon/http/socket.h"
#include "storage/base/file_system.h"

namespace varve {

struct Reply {
  int status = 200;
  std::string headers;  // complete lines, "Name: value\r\n" each
  std::string body;
  std::unique_ptr<ReadableFile> file;  // when set, its `extent` is the body
  Extent extent;
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
  uint64_t length_bytes() const { return file != nullptr ? extent.length_bytes : body.size(); }
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
