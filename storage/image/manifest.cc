#include "storage/image/manifest.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/base/str_cat.h"
#include "storage/image/manifest_fields.h"
#include "storage/image/manifest_reader.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Hands the events of Boost's parser, which come in pieces, to a ManifestReader whole. The status
// is what went wrong when the parser stops because a handler said no.
struct ParserEvents {
  using ErrorCode = boost::json::error_code;
  using Text = boost::json::string_view;

  static constexpr size_t max_object_size = kMaxManifestBytes;
  static constexpr size_t max_array_size = kMaxManifestBytes;
  static constexpr size_t max_key_size = kMaxManifestBytes;
  static constexpr size_t max_string_size = kMaxManifestBytes;

  explicit ParserEvents(ManifestRules rules) : reader(rules) {}

  ManifestReader reader;
  std::string text;  // the pieces so far of a key or string
  absl::Status status;

  bool Report(absl::Status result, ErrorCode& ec) {
    if (result.ok()) return true;
    status = std::move(result);
    ec = boost::json::error::syntax;  // any: `status` is what counts
    return false;
  }
  void Collect(Text piece) { text.append(piece.data(), piece.size()); }

  bool on_document_begin(ErrorCode&) { return true; }
  bool on_document_end(ErrorCode&) { return true; }
  bool on_object_begin(ErrorCode& ec) { return Report(reader.BeginObject(), ec); }
  bool on_object_end(size_t, ErrorCode& ec) { return Report(reader.End(), ec); }
  bool on_array_begin(ErrorCode& ec) { return Report(reader.BeginArray(), ec); }
  bool on_array_end(size_t, ErrorCode& ec) { return Report(reader.End(), ec); }
  bool on_key_part(Text piece, size_t, ErrorCode&) {
    Collect(piece);
    return true;
  }
  bool on_key(Text piece, size_t, ErrorCode& ec) {
    Collect(piece);
    const bool ok = Report(reader.Key(text), ec);
    text.clear();
    return ok;
  }
  bool on_string_part(Text piece, size_t, ErrorCode&) {
    Collect(piece);
    return true;
  }
  bool on_string(Text piece, size_t, ErrorCode& ec) {
    Collect(piece);
    const bool ok = Report(reader.Value({JsonShape::kString, text, 0, false}), ec);
    text.clear();
    return ok;
  }
  bool on_number_part(Text, ErrorCode&) { return true; }
  bool on_int64(int64_t number, Text, ErrorCode& ec) {
    const uint64_t not_negative = number < 0 ? 0 : static_cast<uint64_t>(number);
    return Report(reader.Value({JsonShape::kInteger, {}, not_negative, number < 0}), ec);
  }
  bool on_uint64(uint64_t number, Text, ErrorCode& ec) {
    return Report(reader.Value({JsonShape::kInteger, {}, number, false}), ec);
  }
  bool on_double(double, Text, ErrorCode& ec) {
    return Report(reader.Value({JsonShape::kReal, {}, 0, false}), ec);
  }
  bool on_bool(bool, ErrorCode& ec) {
    return Report(reader.Value({JsonShape::kBool, {}, 0, false}), ec);
  }
  bool on_null(ErrorCode& ec) { return Report(reader.Value(JsonScalar()), ec); }
  bool on_comment_part(Text, ErrorCode&) { return true; }
  bool on_comment(Text, ErrorCode&) { return true; }
};

}  // namespace

bool IsManifestType(std::string_view media_type) { return KnownManifestType("", media_type).ok(); }

std::string_view ChildNotes::Annotation(std::string_view name) const {
  std::string_view last;
  for (const auto& [key, value] : annotations) {
    if (key == name) last = value;
  }
  return last;
}

std::vector<ContentReference> ParsedManifest::References() const {
  std::vector<ContentReference> references;
  absl::flat_hash_map<Digest, size_t> place;
  const auto add = [&](ContentReference::Role role, const Descriptor& descriptor) {
    const auto [it, added] = place.try_emplace(descriptor.digest, references.size());
    if (added) {
      references.push_back({role, descriptor});
    } else if (!descriptor.foreign) {
      references[it->second].descriptor.foreign = false;
    }
  };
  if (config.has_value()) add(ContentReference::Role::kConfig, *config);
  for (const Descriptor& layer : layers) add(ContentReference::Role::kLayer, layer);
  for (const Descriptor& child : children) {
    add(IsManifestType(child.media_type) ? ContentReference::Role::kChild
                                         : ContentReference::Role::kEntry,
        child);
  }
  return references;
}

absl::StatusOr<ParsedManifest> ParseManifest(std::string_view bytes, std::string_view content_type,
                                             ManifestRules rules) {
  if (bytes.size() > kMaxManifestBytes) {
    return absl::InvalidArgumentError(
        StrCat("manifest: is larger than ", kMaxManifestBytes, " bytes"));
  }
  boost::json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::json::basic_parser<ParserEvents> parser(options, rules);
  boost::json::error_code error;
  const size_t consumed = parser.write_some(false, bytes.data(), bytes.size(), error);
  if (!parser.handler().status.ok()) return parser.handler().status;
  if (!error && consumed < bytes.size()) error = boost::json::error::extra_data;
  if (error) {
    return absl::InvalidArgumentError(
        StrCat("manifest: is not valid JSON at byte ", consumed, ": ", error.message()));
  }
  return std::move(parser.handler().reader).Finish(content_type);
}

}  // namespace varve
