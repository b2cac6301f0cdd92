// Filters of image listings and of prune, "key=value" in Docker's grammar. Pure functions over
// untrusted text; an ImageFilter is a plain value.
#ifndef VARVE_STORAGE_IMAGE_IMAGE_FILTER_H_
#define VARVE_STORAGE_IMAGE_IMAGE_FILTER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/image/canonical_name.h"
#include "storage/image/time_text.h"

namespace varve {

// Key and value, sorted by key; each key once.
using ImageLabels = std::vector<std::pair<std::string, std::string>>;

// A shell pattern with the meaning of Go's path.Match: '*' and '?' match no '/', "[a-z]" "[^a]" are
// classes, '\' takes the next character as it is. Matches whole texts.
class GlobPattern {
 public:
  // InvalidArgument "syntax error in pattern".
  static absl::StatusOr<GlobPattern> Parse(std::string_view pattern);

  // Time: at most pattern length times text length.
  bool Matches(std::string_view text) const;

 private:
  struct Element {
    enum class Kind { kAnyText, kAnyCharacter, kClass } kind = Kind::kClass;
    bool negated = false;
    // What a class holds, both ends included; a single character is a class too.
    std::vector<std::pair<unsigned char, unsigned char>> ranges;

    bool Takes(char c) const;
  };
  static absl::StatusOr<Element> ParseClass(std::string_view* pattern);

  std::vector<Element> elements_;
};

// "key" or "key=value" of a label filter.
struct LabelPattern {
  std::string key;
  std::optional<std::string> value;
};

// What `varve image ls` and `varve image prune` take.
absl::Span<const std::string_view> ListFilterKeys();
absl::Span<const std::string_view> PruneFilterKeys();

// Parsed filters; all must match. A key that was not given matches everything. Several values of
// one key, as in Docker: all of `label` must match; `label!` refuses an image only when all its
// values match; one of `reference` must match; `before` and `since` must all match; a second
// different `until` or `dangling` is an error; of `unused-for` and `keep-last` what keeps more
// counts.
struct ImageFilter {
  std::optional<bool> dangling;
  std::vector<LabelPattern> labels;
  std::vector<LabelPattern> labels_not;
  std::optional<int64_t> until_nanos;
  std::vector<GlobPattern> references;
  // Of prune: neither pushed, tagged nor pulled after this; so many newest of each repository stay.
  std::optional<int64_t> unused_since_nanos;
  std::optional<size_t> keep_last;
  // Names of images, which the caller looks up and turns into the bounds below.
  std::vector<std::string> before;
  std::vector<std::string> since;

  std::optional<int64_t> older_than_nanos;
  std::optional<int64_t> newer_than_nanos;

  bool NeedsLabels() const { return !labels.empty() || !labels_not.empty(); }
  bool NeedsTime() const { return until_nanos || older_than_nanos || newer_than_nanos; }

  bool MatchesDangling(bool is_dangling) const {
    return dangling.value_or(is_dangling) == is_dangling;
  }
  // `reference` is the repository, as the store has it, with ":tag" or "@digest"; the bare
  // repository may match too, and both as they are shown.
  bool MatchesName(std::string_view repository, std::string_view reference) const;
  // When the image was made: until includes its instant, before and since do not.
  bool MatchesTime(int64_t created_nanos) const;
  // An image without labels matches no `label` and every `label!`.
  bool MatchesLabels(const ImageLabels& image_labels) const;
};

// Keys are taken without regard to case and to spaces around key and value, as Docker's client
// does. InvalidArgument, in Docker's words where it has some: a filter without '=', a key that is
// not in `allowed_keys`, a malformed value, more than kMaxFilters, one over kMaxFilterBytes.
// A `reference` matches as it is written, and as `names` has it: "docker.io/library/deb*" is
// "deb*".
absl::StatusOr<ImageFilter> ParseImageFilter(absl::Span<const std::string> filters,
                                             absl::Span<const std::string_view> allowed_keys,
                                             const TimeReference& reference,
                                             const NameRule& names = {});

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_IMAGE_FILTER_H_
