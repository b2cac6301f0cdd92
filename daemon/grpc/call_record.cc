#include "daemon/grpc/call_record.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "daemon/log.h"
#include "storage/base/clock.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr size_t kMaxRequestIdBytes = 64;
// A status message travels as an HTTP/2 header, percent-encoded up to threefold; clients take 8 KiB
// of headers.
constexpr size_t kMaxMessageBytes = 1024;

bool IsRequestId(std::string_view text) {
  return !text.empty() && text.size() <= kMaxRequestIdBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ||
                  c == '.';
         });
}

LogLevel LevelOf(const absl::Status& status, bool changes) {
  if (IsStoreFault(status)) return LogLevel::kError;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return changes ? LogLevel::kInfo : LogLevel::kDebug;
    case absl::StatusCode::kNotFound:   // the usual answer to "is it there?"
    case absl::StatusCode::kCancelled:  // a client can cancel faster than a log is read
      return changes ? LogLevel::kInfo : LogLevel::kDebug;
    case absl::StatusCode::kUnavailable:
      return LogLevel::kError;
    default:
      return LogLevel::kInfo;
  }
}

}  // namespace

std::string AddressOfPeer(std::string_view peer) {
  const size_t scheme = peer.find(':');
  if (scheme == std::string_view::npos || peer.substr(0, scheme) == "unix") return "unix";
  const std::string_view address = peer.substr(scheme + 1, peer.rfind(':') - scheme - 1);
  for (const auto& [open, close] : {std::pair<std::string_view, std::string_view>{"%5B", "%5D"},
                                    std::pair<std::string_view, std::string_view>{"[", "]"}}) {
    if (address.size() < open.size() + close.size() || address.substr(0, open.size()) != open) {
      continue;
    }
    return std::string(address.substr(open.size(), address.size() - open.size() - close.size()));
  }
  return std::string(address);
}

CallRecord::CallRecord(const CallKind& kind, std::string_view sent_id, Caller caller)
    : kind_(kind),
      request_id_(IsRequestId(sent_id) ? std::string(sent_id)
                                       : absl::StrFormat("%016x", SystemRandom().Next())),
      caller_(std::move(caller)),
      started_(std::chrono::steady_clock::now()) {}

CallOutcome CallRecord::End(const absl::Status& status, std::string_view repository,
                            uint64_t bytes) const {
  const auto elapsed = std::chrono::steady_clock::now() - started_;
  const double milliseconds = std::chrono::duration<double, std::milli>(elapsed).count();
  const LogLevel level = LevelOf(status, kind_.changes);
  if (status.ok()) {
    Log(level, kind_.name,
        {{"request", request_id_},
         {"repository", std::string(repository)},
         {"bytes", bytes},
         {"ms", milliseconds},
         {"client", caller_.address},
         {"user_agent", caller_.user_agent}});
    return {};
  }
  Log(level, kind_.name,
      {{"request", request_id_},
       {"repository", std::string(repository)},
       {"bytes", bytes},
       {"ms", milliseconds},
       {"client", caller_.address},
       {"user_agent", caller_.user_agent},
       {"code", absl::StatusCodeToString(status.code())},
       {"error", std::string(status.message())}});
  DoorError error = MapStatus(status, kind_.about);
  std::string message = ClientMessage(status, error, request_id_);
  if (message.size() > kMaxMessageBytes) message.resize(kMaxMessageBytes);
  return {.grpc_code = error.grpc_code, .message = std::move(message), .error = std::move(error)};
}

}  // namespace varve
