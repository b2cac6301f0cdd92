#include "storage/image/image_filter.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr std::array<std::string_view, 7> kListKeys = {"dangling", "label", "label!",   "until",
                                                       "before",   "since", "reference"};
constexpr std::array<std::string_view, 7> kPruneKeys = {
    "dangling", "label", "label!", "until", "reference", "unused-for", "keep-last"};

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n\v\f");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n\v\f") - begin + 1);
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

LabelPattern ParseLabel(std::string_view text) {
  const size_t equals = text.find('=');
  LabelPattern pattern{std::string(text.substr(0, equals)), std::nullopt};
  if (equals != std::string_view::npos) pattern.value = std::string(text.substr(equals + 1));
  return pattern;
}

bool HasLabel(const ImageLabels& labels, const LabelPattern& pattern) {
  const auto it =
      std::lower_bound(labels.begin(), labels.end(), pattern.key,
                       [](const auto& label, const std::string& key) { return label.first < key; });
  return it != labels.end() && it->first == pattern.key &&
         pattern.value.value_or(it->second) == it->second;
}

// A prune must never take both for one of them.
absl::Status ParseDangling(std::string_view value, std::optional<bool>* dangling) {
  const bool yes = value == "true" || value == "1";
  if (!yes && value != "false" && value != "0") {
    return absl::InvalidArgumentError(StrCat("invalid filter 'dangling' with the value ",
                                             QuotedForError(value), "; use true or false"));
  }
  if (dangling->value_or(yes) != yes) {
    return absl::InvalidArgumentError("invalid filter 'dangling=[false true]'");
  }
  *dangling = yes;
  return absl::OkStatus();
}

absl::Status ParseUntil(std::string_view value, const TimeReference& reference,
                        std::optional<int64_t>* until) {
  ASSIGN_OR_RETURN(const int64_t nanos, ParseTimeOrDuration(value, reference));
  if (until->has_value()) {
    return absl::InvalidArgumentError("more than one until filter specified");
  }
  *until = nanos;
  return absl::OkStatus();
}

absl::Status ParseUnusedFor(std::string_view value, const TimeReference& reference,
                            std::optional<int64_t>* unused_since) {
  ASSIGN_OR_RETURN(const int64_t nanos, ParseDuration(value));
  if (nanos < 0) return absl::InvalidArgumentError("unused-for takes a time that has passed");
  const int64_t since = reference.now_nanos - nanos;
  // Several: as long as the longest says.
  *unused_since = std::min(unused_since->value_or(since), since);
  return absl::OkStatus();
}

absl::Status ParseKeepLast(std::string_view value, std::optional<size_t>* keep_last) {
  size_t count = 0;
  const char* const end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, count);
  if (error != std::errc() || rest != end || count > kMaxKeepLast) {
    return absl::InvalidArgumentError(StrCat("invalid filter 'keep-last' with the value ",
                                             QuotedForError(value), "; use a number up to ",
                                             kMaxKeepLast));
  }
  *keep_last = std::max(keep_last->value_or(count), count);
  return absl::OkStatus();
}

// A host without wildcards as the store has it: "Reg:5000/team/*" is "reg__5000/team/*".
std::string StoredPattern(std::string_view pattern) {
  const size_t slash = pattern.find('/');
  const std::string_view first = pattern.substr(0, slash);
  const bool host = slash != std::string_view::npos &&
                    first.find_first_of(".:") != std::string_view::npos &&
                    first.find_first_of("*?[\\") == std::string_view::npos;
  if (!host) return std::string(pattern);
  const absl::StatusOr<std::string> stored = StoredHost(first);
  return stored.ok() ? StrCat(*stored, pattern.substr(slash)) : std::string(pattern);
}

absl::Status AddReference(std::string_view value, const NameRule& names, ImageFilter* filter) {
  ASSIGN_OR_RETURN(GlobPattern pattern, GlobPattern::Parse(value));
  filter->references.push_back(std::move(pattern));
  const std::string stored = StoredPattern(value);
  const std::string_view canonical = names.CanonicalOf(stored);
  if (canonical == value) return absl::OkStatus();
  ASSIGN_OR_RETURN(pattern, GlobPattern::Parse(canonical));
  filter->references.push_back(std::move(pattern));
  return absl::OkStatus();
}

absl::Status AddFilter(std::string_view key, std::string_view value, const TimeReference& reference,
                       const NameRule& names, ImageFilter* filter) {
  if (key == "dangling") return ParseDangling(value, &filter->dangling);
  if (key == "unused-for") return ParseUnusedFor(value, reference, &filter->unused_since_nanos);
  if (key == "keep-last") return ParseKeepLast(value, &filter->keep_last);
  if (key == "until") return ParseUntil(value, reference, &filter->until_nanos);
  if (key == "label") {
    filter->labels.push_back(ParseLabel(value));
  } else if (key == "label!") {
    filter->labels_not.push_back(ParseLabel(value));
  } else if (key == "before") {
    filter->before.emplace_back(value);
  } else if (key == "since") {
    filter->since.emplace_back(value);
  } else {
    return AddReference(value, names, filter);
  }
  return absl::OkStatus();
}

absl::Status BadPattern() { return absl::InvalidArgumentError("syntax error in pattern"); }

}  // namespace

absl::Span<const std::string_view> ListFilterKeys() { return kListKeys; }
absl::Span<const std::string_view> PruneFilterKeys() { return kPruneKeys; }

bool GlobPattern::Element::Takes(char c) const {
  if (kind != Kind::kClass) return c != '/';
  const auto byte = static_cast<unsigned char>(c);
  const bool inside = std::any_of(ranges.begin(), ranges.end(), [byte](const auto& range) {
    return range.first <= byte && byte <= range.second;
  });
  return inside != negated;
}

// What follows the '[', up to and with its ']'.
absl::StatusOr<GlobPattern::Element> GlobPattern::ParseClass(std::string_view* pattern) {
  // One end of a range: neither '-' nor ']' unless a backslash precedes it.
  const auto take = [pattern]() -> std::optional<unsigned char> {
    if (pattern->empty() || pattern->front() == '-' || pattern->front() == ']') return std::nullopt;
    if (pattern->front() == '\\') pattern->remove_prefix(1);
    if (pattern->empty()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(pattern->front());
    pattern->remove_prefix(1);
    return byte;
  };
  Element element;
  if (!pattern->empty() && pattern->front() == '^') {
    element.negated = true;
    pattern->remove_prefix(1);
  }
  while (element.ranges.empty() || pattern->empty() || pattern->front() != ']') {
    const std::optional<unsigned char> first = take();
    if (!first.has_value()) return BadPattern();
    std::optional<unsigned char> last = first;
    if (!pattern->empty() && pattern->front() == '-') {
      pattern->remove_prefix(1);
      last = take();
      if (!last.has_value()) return BadPattern();
    }
    element.ranges.emplace_back(*first, *last);
  }
  pattern->remove_prefix(1);
  return element;
}

absl::StatusOr<GlobPattern> GlobPattern::Parse(std::string_view pattern) {
  GlobPattern parsed;
  while (!pattern.empty()) {
    const char c = pattern.front();
    pattern.remove_prefix(1);
    Element element;
    if (c == '*') {
      // Two in a row match what one does.
      if (!parsed.elements_.empty() && parsed.elements_.back().kind == Element::Kind::kAnyText) {
        continue;
      }
      element.kind = Element::Kind::kAnyText;
    } else if (c == '?') {
      element.kind = Element::Kind::kAnyCharacter;
    } else if (c == '[') {
      ASSIGN_OR_RETURN(element, ParseClass(&pattern));
    } else {
      char literal = c;
      if (c == '\\') {
        if (pattern.empty()) return BadPattern();
        literal = pattern.front();
        pattern.remove_prefix(1);
      }
      const auto byte = static_cast<unsigned char>(literal);
      element.ranges.emplace_back(byte, byte);
    }
    parsed.elements_.push_back(std::move(element));
  }
  return parsed;
}

bool GlobPattern::Matches(std::string_view text) const {
  // On a mismatch the last '*' takes one character more; earlier ones need not change, because what
  // stood between was found at its first place.
  size_t element = 0;
  size_t at = 0;
  std::optional<std::pair<size_t, size_t>> star;  // the element after it, where that began
  while (at < text.size() || element < elements_.size()) {
    if (element < elements_.size() && elements_[element].kind == Element::Kind::kAnyText) {
      star = {++element, at};
      continue;
    }
    if (element < elements_.size() && at < text.size() && elements_[element].Takes(text[at])) {
      ++element;
      ++at;
      continue;
    }
    if (!star.has_value() || star->second >= text.size() || text[star->second] == '/') return false;
    element = star->first;
    at = ++star->second;
  }
  return true;
}

bool ImageFilter::MatchesName(std::string_view repository, std::string_view reference) const {
  if (references.empty()) return true;
  const auto matches = [this](std::string_view text) {
    return std::any_of(references.begin(), references.end(),
                       [text](const GlobPattern& pattern) { return pattern.Matches(text); });
  };
  if (matches(reference) || matches(repository)) return true;
  const std::string shown = ShownName(repository);
  if (shown == repository) return false;
  return matches(StrCat(shown, reference.substr(repository.size()))) || matches(shown);
}

bool ImageFilter::MatchesTime(int64_t created_nanos) const {
  return created_nanos <= until_nanos.value_or(created_nanos) &&
         (!older_than_nanos.has_value() || created_nanos < *older_than_nanos) &&
         (!newer_than_nanos.has_value() || created_nanos > *newer_than_nanos);
}

bool ImageFilter::MatchesLabels(const ImageLabels& image_labels) const {
  const auto has = [&](const LabelPattern& pattern) { return HasLabel(image_labels, pattern); };
  if (!std::all_of(labels.begin(), labels.end(), has)) return false;
  return labels_not.empty() || !std::all_of(labels_not.begin(), labels_not.end(), has);
}

absl::StatusOr<ImageFilter> ParseImageFilter(absl::Span<const std::string> filters,
                                             absl::Span<const std::string_view> allowed_keys,
                                             const TimeReference& reference,
                                             const NameRule& names) {
  if (filters.size() > kMaxFilters) {
    return absl::InvalidArgumentError(StrCat("at most ", kMaxFilters, " filters"));
  }
  ImageFilter parsed;
  std::vector<std::pair<std::string, std::string_view>> seen;
  for (const std::string& filter : filters) {
    if (filter.size() > kMaxFilterBytes) {
      return absl::InvalidArgumentError(
          StrCat("a filter is longer than ", kMaxFilterBytes, " bytes"));
    }
    const size_t equals = filter.find('=');
    if (equals == std::string::npos) {
      return absl::InvalidArgumentError(
          StrCat("bad format of filter ", QuotedForError(filter), " (expected name=value)"));
    }
    const std::string_view text = filter;
    std::pair<std::string, std::string_view> pair = {LowerCase(Trimmed(text.substr(0, equals))),
                                                     Trimmed(text.substr(equals + 1))};
    if (std::find(allowed_keys.begin(), allowed_keys.end(), pair.first) == allowed_keys.end()) {
      return absl::InvalidArgumentError(StrCat("invalid filter ", QuotedForError(pair.first)));
    }
    // The same filter twice is one.
    if (std::find(seen.begin(), seen.end(), pair) != seen.end()) continue;
    RETURN_IF_ERROR(AddFilter(pair.first, pair.second, reference, names, &parsed));
    seen.push_back(std::move(pair));
  }
  return parsed;
}

}  // namespace varve
