#include "daemon/http/request_reader.h"

#include <poll.h>

#include <algorithm>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

#include "daemon/http/authority.h"
#include "daemon/http/socket.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view kEndOfHead = "\r\n\r\n";
// A piece this long is worth a call to the store: no waiting for more.
constexpr size_t kGoodPieceBytes = 64 * 1024;
// A chunked body is read into the second half of the buffer and unwrapped into the first.
constexpr size_t kHalf = IoBuffer::kBytes / 2;
static_assert(kMaxUnreadBytes <= kHalf && kMaxHeaderBytes < kMaxUnreadBytes);
// Extensions of a chunk, which mean nothing here, and trailers.
constexpr size_t kMaxChunkHeaderBytes = 16 * 1024;
constexpr milliseconds kDrainTimeout{2000};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

}  // namespace

IoBuffer::IoBuffer() : data_(static_cast<char*>(std::aligned_alloc(4096, kBytes))) {
  if (data_ == nullptr) throw std::bad_alloc();
}

IoBuffer::~IoBuffer() { std::free(data_); }

struct RequestReader::Parser {
  http::request_parser<http::buffer_body> beast;

  std::string_view Field(http::field name) const {
    const auto found = beast.get().find(name);
    if (found == beast.get().end()) return {};
    return {found->value().data(), found->value().size()};
  }
  // All fields of the name as one list.
  std::string JoinedFields(const char* name) const {
    std::string joined;
    const auto [begin, end] = beast.get().equal_range(name);
    for (auto field = begin; field != end; ++field) {
      if (field != begin) joined += ',';
      joined.append(field->value().data(), field->value().size());
    }
    return joined;
  }
  std::string_view Field(const char* name) const {
    const auto found = beast.get().find(name);
    if (found == beast.get().end()) return {};
    return {found->value().data(), found->value().size()};
  }
};

RequestReader::RequestReader(Connection& connection, const HttpServerOptions& options)
    : connection_(connection),
      options_(options),
      pace_(options.stall_timeout, options.min_bytes_per_second) {}

RequestReader::~RequestReader() = default;

void RequestReader::MoveToFront(size_t to) {
  CheckInvariant(begin_ <= end_ && to + (end_ - begin_) <= IoBuffer::kBytes,
                 "what is unread stays in its buffer");
  if (begin_ != to) std::memmove(buffer_ + to, buffer_ + begin_, end_ - begin_);
  end_ = to + (end_ - begin_);
  begin_ = to;
}

void RequestReader::BeginTurn(IoBuffer& buffer) {
  CheckInvariant(connection_.unread.size() <= IoBuffer::kBytes, "what is unread fits one buffer");
  buffer_ = buffer.data();
  begin_ = 0;
  end_ = connection_.unread.size();
  std::memcpy(buffer_, connection_.unread.data(), end_);
  std::string().swap(connection_.unread);
  chunks_in_place_ = false;
}

void RequestReader::EndTurn() {
  connection_.unread.assign(buffer_ + begin_, end_ - begin_);
  begin_ = end_ = 0;
  buffer_ = nullptr;
}

RequestReader::Head RequestReader::Refuse(int http_status, std::string message) {
  refusal_ = {http_status, std::move(message)};
  return Head::kRefused;
}

// Some clients send an empty line after a body; more than one is not worth our time.
void RequestReader::SkipEmptyLines() {
  while (empty_lines_ < 2 &&
         std::string_view(buffer_ + begin_, end_ - begin_).substr(0, 2) == "\r\n") {
    begin_ += 2;
    ++empty_lines_;
  }
  MoveToFront(0);
}

RequestReader::Head RequestReader::ReadHead(Patience& patience) {
  request_ = Request();
  parser_.reset();
  head_bytes_ = 0;
  empty_lines_ = 0;
  while (true) {
    SkipEmptyLines();
    const std::string_view got(buffer_ + begin_, end_ - begin_);
    if (!got.empty()) {
      const bool may_be_empty_line = got == "\r" && empty_lines_ < 2;
      if (!may_be_empty_line && (got[0] < 'A' || got[0] > 'Z')) {
        return Refuse(400, "this port speaks plain HTTP/1.1, and this is not an HTTP request");
      }
      const size_t end = got.substr(0, kMaxHeaderBytes).find(kEndOfHead);
      if (end != std::string_view::npos) return ParseHead(end + kEndOfHead.size());
      if (got.size() >= kMaxHeaderBytes) {
        const bool long_target = got.find("\r\n") == std::string_view::npos;
        return Refuse(long_target ? 414 : 431,
                      StrCat("the request header is longer than ", kMaxHeaderBytes, " bytes"));
      }
      if (!connection_.header_deadline.has_value()) {
        connection_.header_deadline = steady_clock::now() + options_.header_timeout;
      }
    }
    const Received received =
        ReceiveNow(connection_.fd(), absl::MakeSpan(buffer_ + end_, kMaxUnreadBytes - end_));
    if (received.kind == Received::Kind::kClosed) return Head::kClosed;
    end_ += received.bytes;
    if (received.kind == Received::Kind::kBytes) continue;

    if (connection_.header_deadline.has_value() &&
        steady_clock::now() >= *connection_.header_deadline) {
      return Refuse(408, "the request header took too long to arrive");
    }
    if (!patience.Wait(connection_.fd(), POLLIN, nullptr)) return Head::kIncomplete;
  }
}

RequestReader::Head RequestReader::ParseHead(size_t head_bytes) {
  connection_.header_deadline.reset();
  parser_ = std::make_unique<Parser>();
  head_bytes_ = head_bytes;
  parser_->beast.header_limit(kMaxHeaderBytes);
  parser_->beast.body_limit(boost::none);  // the handlers know how much they take
  parser_->beast.eager(false);
  error_code error;
  const size_t used =
      parser_->beast.put(boost::asio::const_buffer(buffer_ + begin_, head_bytes), error);
  begin_ += head_bytes;
  if (error == http::error::bad_version) {
    return Refuse(505, "only HTTP/1.1 and HTTP/1.0 are understood here");
  }
  if (error || used != head_bytes || !parser_->beast.is_header_done()) {
    return Refuse(400, StrCat("malformed HTTP request: ", error.message()));
  }
  return CopyHead();
}

RequestReader::Head RequestReader::CopyHead() {
  const auto& message = parser_->beast.get();
  const size_t fields = static_cast<size_t>(std::distance(message.begin(), message.end()));
  if (fields > kMaxHeaderFields) {
    return Refuse(431, StrCat("the request has more than ", kMaxHeaderFields, " header fields"));
  }
  request_.method.assign(message.method_string().data(), message.method_string().size());
  request_.target.assign(message.target().data(), message.target().size());
  request_.host = parser_->Field(http::field::host);
  request_.content_type = parser_->Field(http::field::content_type);
  request_.content_range = parser_->Field(http::field::content_range);
  request_.range = parser_->Field(http::field::range);
  request_.if_range = parser_->Field(http::field::if_range);
  request_.if_none_match = parser_->Field(http::field::if_none_match);
  request_.request_id = parser_->Field("X-Request-Id");
  request_.lease = parser_->Field("Varve-Lease");
  request_.user_agent = parser_->Field(http::field::user_agent);
  request_.forwarded_for = parser_->JoinedFields("X-Forwarded-For");
  request_.origin = parser_->Field(http::field::origin);
  request_.sec_fetch_site = parser_->Field("Sec-Fetch-Site");
  request_.chunked = parser_->beast.chunked();
  request_.keep_alive = parser_->beast.keep_alive();
  request_.http_1_0 = message.version() < 11;
  if (const auto length = parser_->beast.content_length(); length && !request_.chunked) {
    request_.content_length = *length;
  }
  left_ = request_.content_length.value_or(0);
  body_bytes_ = 0;
  chunks_in_place_ = false;
  later_ = absl::OkStatus();
  pace_ = Pace(options_.stall_timeout, options_.min_bytes_per_second);

  // Anything but plain "chunked" would leave us and a proxy before us of two minds about where the
  // body ends.
  const std::string_view encoding = parser_->Field(http::field::transfer_encoding);
  if (!encoding.empty() && (request_.http_1_0 || !EqualsIgnoringCase(encoding, "chunked"))) {
    return Refuse(501, "the only transfer encoding understood here is chunked");
  }
  if (message.count(http::field::host) != 1 && !request_.http_1_0) {
    return Refuse(400, "an HTTP/1.1 request needs one Host header");
  }
  if (!ParseAuthority(request_.host).has_value()) {
    return Refuse(400, "the Host header must be a host name or address, with or without a port");
  }
  const std::string_view expect = parser_->Field(http::field::expect);
  request_.expects_continue = EqualsIgnoringCase(expect, "100-continue") && !request_.http_1_0;
  if (!expect.empty() && !EqualsIgnoringCase(expect, "100-continue")) {
    return Refuse(417, "the only expectation understood here is 100-continue");
  }
  const bool waits = request_.expects_continue && request_.has_body() && begin_ == end_;
  continue_left_ = waits ? kContinue : std::string_view();
  parser_->beast.eager(true);
  return Head::kComplete;
}

bool RequestReader::body_done() const {
  return request_.chunked ? parser_->beast.is_done() : left_ == 0;
}

bool RequestReader::worth_draining() const {
  if (body_done()) return true;
  return !request_.chunked && left_ <= kMaxDrainBytes && continue_left_.empty() && later_.ok();
}

void RequestReader::HurryBody() {
  pace_ = Pace(kDrainTimeout, kMaxDrainBytes);  // at most twice kDrainTimeout, whatever it sends
}

RequestReader::BodyPart RequestReader::NextBody(Patience& patience) {
  using Kind = BodyPart::Kind;
  if (body_done()) return {Kind::kEnd, {}, {}};
  while (!continue_left_.empty()) {
    const absl::StatusOr<size_t> sent = SendNow(connection_.fd(), continue_left_, {}, false);
    if (!sent.ok()) return {Kind::kFailed, {}, sent.status()};
    if (*sent == 0) return {Kind::kNoRoom, {}, {}};
    continue_left_.remove_prefix(*sent);
  }
  BodyPart part = request_.chunked ? NextChunked(patience) : NextFixed(patience);
  body_bytes_ += part.bytes.size();
  return part;
}

// Receives at the end of the buffer. False when the peer has sent no more, after a moment for one
// that is prompt unless the piece is good as it is; or, with `later_`, when it has gone.
bool RequestReader::ReceiveInto(size_t room, bool good_piece, Patience& patience) {
  while (true) {
    const Received received = ReceiveNow(connection_.fd(), absl::MakeSpan(buffer_ + end_, room));
    if (received.kind == Received::Kind::kBytes) {
      end_ += received.bytes;
      pace_.Progress(received.bytes);
      patience.Moved(received.bytes);
      return true;
    }
    if (received.kind == Received::Kind::kClosed) {
      later_ = absl::CancelledError("the client closed the connection before the end of the body");
      return false;
    }
    if (good_piece || !patience.Wait(connection_.fd(), POLLIN, &pace_)) return false;
  }
}

RequestReader::BodyPart RequestReader::NextFixed(Patience& patience) {
  using Kind = BodyPart::Kind;
  if (end_ - begin_ < left_) MoveToFront(0);
  const size_t want = static_cast<size_t>(std::min<uint64_t>(left_, IoBuffer::kBytes));
  while (end_ - begin_ < want && later_.ok()) {
    const size_t have = end_ - begin_;
    if (!ReceiveInto(want - have, have >= kGoodPieceBytes, patience)) break;
  }
  const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, end_ - begin_));
  if (size == 0) return {later_.ok() ? Kind::kNothingYet : Kind::kFailed, {}, later_};
  const std::string_view piece(buffer_ + begin_, size);
  begin_ += size;
  left_ -= size;
  return {Kind::kBytes, piece, {}};
}

RequestReader::BodyPart RequestReader::NextChunked(Patience& patience) {
  using Kind = BodyPart::Kind;
  if (!chunks_in_place_) MoveToFront(kHalf);
  chunks_in_place_ = true;
  auto& body = parser_->beast.get().body();
  body.data = buffer_;
  body.size = kHalf;
  size_t unwrapped = 0;
  while (later_.ok() && !parser_->beast.is_done()) {
    error_code error = http::error::need_more;
    if (begin_ < end_) {
      begin_ +=
          parser_->beast.put(boost::asio::const_buffer(buffer_ + begin_, end_ - begin_), error);
      unwrapped = kHalf - body.size;
    }
    if (error == http::error::need_buffer) break;
    if (error && error != http::error::need_more) {
      later_ = absl::InvalidArgumentError(StrCat("malformed chunked body: ", error.message()));
      break;
    }
    if (parser_->beast.is_done()) break;
    // What the parser leaves is the beginning of a chunk's header.
    if (end_ - begin_ > kMaxChunkHeaderBytes) {
      later_ = absl::InvalidArgumentError("malformed chunked body: a chunk header is too long");
      break;
    }
    MoveToFront(kHalf);
    if (!ReceiveInto(IoBuffer::kBytes - end_, unwrapped >= kGoodPieceBytes, patience)) break;
  }
  if (unwrapped > 0) return {Kind::kBytes, std::string_view(buffer_, unwrapped), {}};
  if (!later_.ok()) return {Kind::kFailed, {}, later_};
  return {parser_->beast.is_done() ? Kind::kEnd : Kind::kNothingYet, {}, {}};
}

}  // namespace varve
