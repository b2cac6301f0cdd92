#include "daemon/http/reply.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <utility>
#include <vector>

#include "daemon/http/socket.h"
#include "daemon/second_text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr size_t kReadStepBytes = 128 * 1024;
// After so many bytes at once it is time to look whether others wait.
constexpr size_t kLongStepBytes = 1 << 20;
// A reader keeps up that has let this leave within this time: 42 MB/s.
constexpr uint64_t kJudgedBytes = 4 << 20;
constexpr std::chrono::milliseconds kJudgedTime{100};
constexpr int kFastReaders = 64;
// What they may make the kernel hold in all, beside what everybody may.
static_assert(kFastReaders * kMaxUnsentBytesOfFast == 128 << 20);

std::atomic<int> g_fast_readers{0};

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

std::string_view HttpDate() {
  thread_local SecondText text([](char* buffer, size_t size, const std::tm& utc) {
    return std::strftime(buffer, size, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  });
  return text.At(std::time(nullptr));
}

std::string ReplyHead(const Reply& reply, const SendOptions& options) {
  std::string head = StrCat("HTTP/1.1 ", reply.status, " ", Reason(reply.status), "\r\n");
  head += StrCat("Date: ", HttpDate(), "\r\n", reply.headers);
  head +=
      StrCat("Docker-Distribution-Api-Version: registry/2.0\r\nX-Content-Type-Options: nosniff\r\n",
             "X-Request-Id: ", options.request_id, "\r\n");
  // RFC 9110 forbids the length on 204; a 304 has none of its own.
  if (reply.status != 204 && reply.status != 304) {
    const bool own_length = !options.head_only || reply.head_length_bytes == 0;
    head += StrCat("Content-Length: ", own_length ? reply.length_bytes() : reply.head_length_bytes,
                   "\r\n");
  }
  if (!options.keep_alive) {
    head += "Connection: close\r\n";
  } else if (options.http_1_0) {
    head += "Connection: keep-alive\r\n";
  }
  head += "\r\n";
  return head;
}

}  // namespace

void Reply::AddHeader(std::string_view name, std::string_view value) {
  headers.append(name).append(": ").append(value).append("\r\n");
}

void Reply::AddPart(std::string head, const Extent& part) {
  const uint64_t begin = parts.empty() ? 0 : parts.back().end_bytes;
  const uint64_t end = begin + head.size() + part.length_bytes;
  parts.push_back({std::move(head), part, end});
}

uint64_t Reply::length_bytes() const {
  if (!parts.empty()) return parts.back().end_bytes + body.size();
  return source != nullptr ? extent.length_bytes : body.size();
}

size_t Reply::held_bytes() const {
  size_t bytes = headers.capacity() + body.capacity() + parts.capacity() * sizeof(SourcePart);
  for (const SourcePart& part : parts) bytes += part.head.capacity();
  if (source != nullptr) bytes += source->in_memory().size();
  return bytes;
}

Reply::Piece Reply::PieceAt(uint64_t offset_bytes) const {
  const auto rest = [this](const Extent& of, uint64_t sent) -> Piece {
    const Extent left = {of.offset_bytes + sent, of.length_bytes - sent};
    const std::string_view text = source == nullptr ? std::string_view() : source->in_memory();
    if (text.empty()) return {{}, left};
    return {
        text.substr(static_cast<size_t>(left.offset_bytes), static_cast<size_t>(left.length_bytes)),
        {}};
  };
  if (offset_bytes >= length_bytes()) return {};
  if (source != nullptr && parts.empty()) return rest(extent, offset_bytes);
  const uint64_t parts_end = parts.empty() ? 0 : parts.back().end_bytes;
  if (offset_bytes >= parts_end) {
    return {std::string_view(body).substr(static_cast<size_t>(offset_bytes - parts_end)), {}};
  }
  const auto part =
      std::upper_bound(parts.begin(), parts.end(), offset_bytes,
                       [](uint64_t offset, const SourcePart& of) { return offset < of.end_bytes; });
  const uint64_t begin = part->end_bytes - part->extent.length_bytes - part->head.size();
  const uint64_t sent = offset_bytes - begin;
  if (sent < part->head.size()) {
    return {std::string_view(part->head).substr(static_cast<size_t>(sent)), {}};
  }
  return rest(part->extent, sent - part->head.size());
}

void Reply::AddDigest(std::string_view text) {
  digest = text;
  AddHeader("Docker-Content-Digest", text);
}

Reply ErrorReply(int http_status, std::string_view oci_code, std::string_view message,
                 std::string_view detail_json) {
  Reply reply;
  reply.status = http_status;
  reply.error_code = oci_code;
  reply.cause = absl::UnknownError(ToAbsl(message));
  reply.AddHeader("Content-Type", "application/json");
  reply.body = R"({"errors":[{"code":)";
  AppendJsonString(&reply.body, oci_code, kReplyEscapes);
  reply.body += R"(,"message":)";
  AppendJsonString(&reply.body, message, kReplyEscapes);
  if (!detail_json.empty()) reply.body.append(R"(,"detail":)").append(detail_json);
  reply.body += "}]}\n";
  return reply;
}

std::unique_ptr<FastReader> FastReader::Take() {
  if (g_fast_readers.fetch_add(1) < kFastReaders) {
    return std::unique_ptr<FastReader>(new FastReader());
  }
  g_fast_readers.fetch_sub(1);
  return nullptr;
}

FastReader::~FastReader() { g_fast_readers.fetch_sub(1); }

ReplySender::ReplySender(Reply reply, const SendOptions& options, const Pace& pace)
    : reply_(std::move(reply)), head_(ReplyHead(reply_, options)), pace_(pace) {
  const bool bodyless = options.head_only || reply_.status == 204 || reply_.status == 304;
  if (!bodyless) body_bytes_ = reply_.length_bytes();
}

absl::StatusOr<ReplySender::Progress> ReplySender::Send(int fd, Patience& patience) {
  while (head_sent_ < head_.size() || body_sent_ < body_bytes_) {
    ASSIGN_OR_RETURN(const size_t sent, SendSome(fd));
    if (sent == 0) {
      if (!patience.Wait(fd, POLLOUT, &pace_)) return Progress::kNoRoom;
      continue;
    }
    pace_.Progress(sent);
    patience.Moved(sent);
    const size_t of_head = std::min(sent, head_.size() - head_sent_);
    head_sent_ += of_head;
    body_sent_ += sent - of_head;
    AdjustRoom(fd);
    if (sent >= kLongStepBytes) return Progress::kPart;
  }
  return Progress::kAll;
}

void ReplySender::AdjustRoom(int fd) {
  if (body_sent_ == body_bytes_) {
    if (fast_ != nullptr) SetMaxUnsent(fd, kMaxUnsentBytes);
    fast_.reset();
    return;
  }
  if (judged_ || body_sent_ < kJudgedBytes) return;
  judged_ = true;
  if (std::chrono::steady_clock::now() - begun_ > kJudgedTime) return;
  fast_ = FastReader::Take();
  if (fast_ != nullptr) SetMaxUnsent(fd, kMaxUnsentBytesOfFast);
}

// The bytes taken of what comes next; 0 when there is no room.
absl::StatusOr<size_t> ReplySender::SendSome(int fd) {
  const std::string_view head = std::string_view(head_).substr(head_sent_);
  Reply::Piece piece;
  if (body_sent_ < body_bytes_) piece = reply_.PieceAt(body_sent_);
  if (!head.empty() || !piece.text.empty()) {
    return SendNow(fd, head, piece.text, body_sent_ + piece.text.size() < body_bytes_);
  }
  return SendFromSource(fd, piece.extent);
}

absl::StatusOr<size_t> ReplySender::SendFromSource(int fd, Extent extent) {
  const ReadableBytes& source = *reply_.source;
  extent.length_bytes = std::min(extent.length_bytes, source.Available(extent.offset_bytes));
  if (source.descriptor() < 0) return SendByReading(fd, extent);
  return SendFileNow(fd, source.descriptor(), extent);
}

// For sources that have no descriptor to give to the kernel.
absl::StatusOr<size_t> ReplySender::SendByReading(int fd, Extent extent) {
  std::vector<char> step(std::min<uint64_t>(kReadStepBytes, extent.length_bytes));
  ASSIGN_OR_RETURN(const size_t got,
                   reply_.source->ReadAt(extent.offset_bytes, absl::MakeSpan(step)));
  if (got == 0) {
    return absl::DataLossError(StrCat("the file of the blob is ", extent.length_bytes,
                                      " bytes shorter than it should be; run varve fsck"));
  }
  return SendNow(fd, {step.data(), got}, {}, false);
}

}  // namespace varve
