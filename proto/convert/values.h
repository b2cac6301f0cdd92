// What messages of varve.v1 are made of: times, digests, labels and enumerations, in both
// directions. Pure functions. What the other side sent is checked, never trusted.
#ifndef VARVE_PROTO_CONVERT_VALUES_H_
#define VARVE_PROTO_CONVERT_VALUES_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/map.h>
#include <google/protobuf/timestamp.pb.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/image/digest.h"

namespace varve {

void ToMessage(int64_t nanos, google::protobuf::Timestamp* message);
void ToMessage(int64_t nanos, google::protobuf::Duration* message);
// 0 for a time that was left out; what lies outside every limit stays outside.
int64_t Nanos(const google::protobuf::Timestamp& time);
int64_t Nanos(const google::protobuf::Duration& duration);

// Parses a digest that `field` of a message must have; InvalidArgument, naming the field.
absl::StatusOr<Digest> RequiredDigest(std::string_view field, const std::string& text);
// As RequiredDigest, but an empty text is nullopt.
absl::StatusOr<std::optional<Digest>> OptionalDigest(std::string_view field,
                                                     const std::string& text);

// map<> has no order; people and scripts want the same output each time.
using TextMap = google::protobuf::Map<std::string, std::string>;
using TextPairs = std::vector<std::pair<std::string, std::string>>;
void ToMessage(const TextPairs& pairs, TextMap* message);
TextPairs SortedPairs(const TextMap& message);

// An enumeration of ours and the message's, each value with its counterpart.
template <typename Ours, typename Theirs, size_t count>
using EnumPairs = std::pair<Ours, Theirs>[count];

// The message's 0, which is no value, when there is no counterpart.
template <typename Ours, typename Theirs, size_t count>
Theirs ToMessage(const EnumPairs<Ours, Theirs, count>& pairs, Ours value) {
  for (const auto& [ours, theirs] : pairs) {
    if (ours == value) return theirs;
  }
  return Theirs();
}

// nullopt for a value that only a newer peer knows.
template <typename Ours, typename Theirs, size_t count>
std::optional<Ours> FromMessage(const EnumPairs<Ours, Theirs, count>& pairs, Theirs value) {
  for (const auto& [ours, theirs] : pairs) {
    if (theirs == value) return ours;
  }
  return std::nullopt;
}

}  // namespace varve

#endif  // VARVE_PROTO_CONVERT_VALUES_H_
