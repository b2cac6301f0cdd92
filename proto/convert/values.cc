#include "proto/convert/values.h"

#include <algorithm>
#include <limits>

#include "storage/base/clock.h"
#include "storage/base/status.h"

namespace varve {
namespace {

int64_t Nanos(int64_t seconds, int32_t rest) {
  int64_t nanos = 0;
  if (__builtin_mul_overflow(seconds, kNanosPerSecond, &nanos) ||
      __builtin_add_overflow(nanos, rest, &nanos)) {
    return seconds < 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
  }
  return nanos;
}

}  // namespace

void ToMessage(int64_t nanos, google::protobuf::Timestamp* message) {
  int64_t seconds = nanos / kNanosPerSecond;
  int64_t rest = nanos % kNanosPerSecond;
  if (rest < 0) {  // a Timestamp's nanos count forward, also before 1970
    rest += kNanosPerSecond;
    --seconds;
  }
  message->set_seconds(seconds);
  message->set_nanos(static_cast<int32_t>(rest));
}

void ToMessage(int64_t nanos, google::protobuf::Duration* message) {
  message->set_seconds(nanos / kNanosPerSecond);
  message->set_nanos(static_cast<int32_t>(nanos % kNanosPerSecond));
}

int64_t Nanos(const google::protobuf::Timestamp& time) {
  return Nanos(time.seconds(), time.nanos());
}

int64_t Nanos(const google::protobuf::Duration& duration) {
  return Nanos(duration.seconds(), duration.nanos());
}

absl::StatusOr<Digest> RequiredDigest(std::string_view field, const std::string& text) {
  absl::StatusOr<Digest> digest = Digest::Parse(text);
  if (!digest.ok()) return Annotate(digest.status(), field);
  return digest;
}

absl::StatusOr<std::optional<Digest>> OptionalDigest(std::string_view field,
                                                     const std::string& text) {
  if (text.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(const Digest digest, RequiredDigest(field, text));
  return digest;
}

void ToMessage(const TextPairs& pairs, TextMap* message) {
  for (const auto& [key, value] : pairs) (*message)[key] = value;
}

TextPairs SortedPairs(const TextMap& message) {
  TextPairs pairs(message.begin(), message.end());
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

}  // namespace varve
