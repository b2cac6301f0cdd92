// Times as people and image configs write them. Pure functions over untrusted text, but for the one
// that asks the system for the time zone. Times are nanoseconds since 1970, UTC; what lies outside
// their range (the years 1678 to 2261) becomes the first or last of them.
#ifndef VARVE_STORAGE_IMAGE_TIME_TEXT_H_
#define VARVE_STORAGE_IMAGE_TIME_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/base/clock.h"

namespace varve {

// What a text that names no date or no zone is relative to.
struct TimeReference {
  int64_t now_nanos = 0;
  int32_t utc_offset_seconds = 0;  // of the local zone, east positive
};

// Now, in the zone of this process (TZ, /etc/localtime).
TimeReference LocalTimeReference(Clock& clock);

// "2006-01-02T15:04:05[.fraction](Z|±hh:mm)". InvalidArgument for anything else.
absl::StatusOr<int64_t> ParseRfc3339(std::string_view text);

// What Docker takes for `until`, tried in this order: a Go duration before now ("10m", "1h30m",
// "-1h" is in the future; units ns us µs ms s m h); a date or time, "2006-01-02" with "T15",
// "T15:04" or "T15:04:05[.fraction]" and with "Z" or "±hh:mm", or none for the local zone as it is
// now; seconds since 1970 with a fraction. InvalidArgument in Docker's words.
absl::StatusOr<int64_t> ParseTimeOrDuration(std::string_view text, const TimeReference& reference);

// A Go duration in nanoseconds: "10m", "1h30m", "-1h"; InvalidArgument for anything else.
absl::StatusOr<int64_t> ParseDuration(std::string_view text);

// `text` in double quotes, for an error message: printable ASCII only, and not long.
std::string QuotedForError(std::string_view text);

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_TIME_TEXT_H_
