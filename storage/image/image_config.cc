#include "storage/image/image_config.h"

#include <algorithm>
#include <boost/json/memory_resource.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <limits>
#include <new>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/time_text.h"
#include "storage/limits.h"

namespace varve {
namespace {

namespace json = boost::json;

// Memory for one document; throws when that takes more than it may.
class DocumentMemory final : public json::memory_resource {
 private:
  void* do_allocate(size_t size, size_t) override {
    if (size > left_bytes_) throw std::bad_alloc();
    left_bytes_ -= size;
    return ::operator new(size);
  }
  void do_deallocate(void* memory, size_t size, size_t) override {
    left_bytes_ += size;
    ::operator delete(memory);
  }
  bool do_is_equal(const json::memory_resource& other) const noexcept override {
    return this == &other;
  }

  size_t left_bytes_ = kMaxConfigMemoryBytes;
};

absl::Status Malformed(std::string_view what, std::string_view problem) {
  return absl::InvalidArgumentError(StrCat(what, ": ", problem));
}

absl::StatusOr<json::value> ParseDocument(std::string_view bytes, DocumentMemory* memory) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::error_code error;
  try {
    json::stream_parser parser(json::storage_ptr(memory), options);
    parser.reset(json::storage_ptr(memory));
    parser.write(bytes.data(), bytes.size(), error);
    if (!error) parser.finish(error);
    if (error) return Malformed("the document", StrCat("is not valid JSON: ", error.message()));
    return parser.release();
  } catch (const std::bad_alloc&) {
    return Malformed("the document", "has too many values");
  }
}

// An object.
absl::StatusOr<json::value> ParseConfig(std::string_view bytes, DocumentMemory* memory) {
  if (bytes.size() > kMaxConfigBytes) {
    return Malformed("the config", StrCat("is larger than ", kMaxConfigBytes, " bytes"));
  }
  ASSIGN_OR_RETURN(json::value document, ParseDocument(bytes, memory));
  if (!document.is_object()) return Malformed("the config", "must be a JSON object");
  return document;
}

std::string ToString(const json::string& text) { return {text.data(), text.size()}; }

// The member of that name; null when it is absent or null.
const json::value* Member(const json::object& object, const char* name) {
  const json::value* const value = object.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

absl::Status ReadString(const json::object& object, const char* name, std::string* text) {
  const json::value* const value = Member(object, name);
  if (value == nullptr) return absl::OkStatus();
  if (!value->is_string()) return Malformed(name, "must be a string");
  *text = ToString(value->get_string());
  return absl::OkStatus();
}

absl::Status ReadTime(const json::object& object, const char* name, std::optional<int64_t>* time) {
  const json::value* const value = Member(object, name);
  if (value == nullptr) return absl::OkStatus();
  if (!value->is_string()) return Malformed(name, "must be a string");
  const absl::StatusOr<int64_t> nanos = ParseRfc3339(ToString(value->get_string()));
  if (!nanos.ok()) return Malformed(name, "must be a time as in RFC 3339");
  using Limits = std::numeric_limits<int64_t>;
  if (*nanos != Limits::min() && *nanos != Limits::max()) *time = *nanos;
  return absl::OkStatus();
}

absl::Status ReadObject(const json::object& object, const char* name, const json::object** member) {
  const json::value* const value = Member(object, name);
  *member = nullptr;
  if (value == nullptr) return absl::OkStatus();
  if (!value->is_object()) return Malformed(name, "must be an object");
  *member = &value->get_object();
  return absl::OkStatus();
}

absl::Status ReadArray(const json::object& object, const char* name, const json::array** member) {
  const json::value* const value = Member(object, name);
  *member = nullptr;
  if (value == nullptr) return absl::OkStatus();
  if (!value->is_array()) return Malformed(name, "must be an array");
  if (value->get_array().size() > kMaxConfigEntries) {
    return Malformed(name, StrCat("has more than ", kMaxConfigEntries, " entries"));
  }
  *member = &value->get_array();
  return absl::OkStatus();
}

absl::Status ReadLabels(const json::object& runtime, ImageLabels* labels) {
  const json::object* object = nullptr;
  RETURN_IF_ERROR(ReadObject(runtime, "Labels", &object));
  if (object == nullptr) return absl::OkStatus();
  if (object->size() > kMaxConfigEntries) {
    return Malformed("Labels", StrCat("has more than ", kMaxConfigEntries, " entries"));
  }
  for (const json::key_value_pair& label : *object) {
    const json::value& value = label.value();
    if (!value.is_string() && !value.is_null()) return Malformed("Labels", "must hold strings");
    labels->emplace_back(std::string(label.key().data(), label.key().size()),
                         value.is_null() ? std::string() : ToString(value.get_string()));
  }
  std::sort(labels->begin(), labels->end());
  return absl::OkStatus();
}

// Whether a number is none of a double's ("1e400", and "0e400", which the parser makes no number):
// written again it would be text that nobody reads. Recursion is bounded by kMaxJsonDepth.
bool HasUnreadableNumber(const json::value& value) {
  if (value.is_double()) return !std::isfinite(value.get_double());
  if (value.is_array()) {
    const json::array& array = value.get_array();
    return std::any_of(array.begin(), array.end(), HasUnreadableNumber);
  }
  if (!value.is_object()) return false;
  const json::object& object = value.get_object();
  return std::any_of(object.begin(), object.end(), [](const json::key_value_pair& pair) {
    return HasUnreadableNumber(pair.value());
  });
}

absl::Status ReadRuntime(const json::object& top, ParsedImageConfig* config) {
  const json::object* runtime = nullptr;
  RETURN_IF_ERROR(ReadObject(top, "config", &runtime));
  if (runtime == nullptr) return absl::OkStatus();
  if (HasUnreadableNumber(top.at("config")))
    return Malformed("config", "has a number that is too large");
  config->runtime_json = json::serialize(*runtime);
  return ReadLabels(*runtime, &config->labels);
}

absl::Status ReadDiffIds(const json::object& top, std::vector<std::string>* diff_ids) {
  const json::object* rootfs = nullptr;
  RETURN_IF_ERROR(ReadObject(top, "rootfs", &rootfs));
  if (rootfs == nullptr) return absl::OkStatus();
  const json::array* array = nullptr;
  RETURN_IF_ERROR(ReadArray(*rootfs, "diff_ids", &array));
  if (array == nullptr) return absl::OkStatus();
  for (const json::value& value : *array) {
    if (!value.is_string()) return Malformed("diff_ids", "must hold strings");
    diff_ids->push_back(ToString(value.get_string()));
  }
  return absl::OkStatus();
}

absl::Status ReadHistory(const json::object& top, std::vector<HistoryEntry>* history) {
  const json::array* array = nullptr;
  RETURN_IF_ERROR(ReadArray(top, "history", &array));
  if (array == nullptr) return absl::OkStatus();
  for (const json::value& value : *array) {
    if (!value.is_object()) return Malformed("history", "must hold objects");
    const json::object& object = value.get_object();
    HistoryEntry entry;
    RETURN_IF_ERROR(ReadTime(object, "created", &entry.created_nanos));
    RETURN_IF_ERROR(ReadString(object, "created_by", &entry.created_by));
    RETURN_IF_ERROR(ReadString(object, "author", &entry.author));
    RETURN_IF_ERROR(ReadString(object, "comment", &entry.comment));
    const json::value* const empty = Member(object, "empty_layer");
    if (empty != nullptr && !empty->is_bool()) return Malformed("empty_layer", "must be a boolean");
    entry.empty_layer = empty != nullptr && empty->get_bool();
    history->push_back(std::move(entry));
  }
  return absl::OkStatus();
}

absl::Status ReadPlatform(const json::object& object, Platform* platform) {
  RETURN_IF_ERROR(ReadString(object, "os", &platform->os));
  RETURN_IF_ERROR(ReadString(object, "architecture", &platform->architecture));
  RETURN_IF_ERROR(ReadString(object, "variant", &platform->variant));
  // Rows of listings carry them, and children of an index inherit them: what is no name of a
  // platform must not multiply.
  constexpr size_t kMaxPlatformFieldBytes = 128;
  for (std::string* field : {&platform->os, &platform->architecture, &platform->variant}) {
    if (field->size() > kMaxPlatformFieldBytes) *field = std::string();
  }
  return absl::OkStatus();
}

absl::StatusOr<ParsedImageConfig> ReadConfig(const json::object& top) {
  ParsedImageConfig config;
  RETURN_IF_ERROR(ReadTime(top, "created", &config.created_nanos));
  RETURN_IF_ERROR(ReadPlatform(top, &config.platform));
  RETURN_IF_ERROR(ReadString(top, "author", &config.author));
  RETURN_IF_ERROR(ReadString(top, "docker_version", &config.docker_version));
  RETURN_IF_ERROR(ReadRuntime(top, &config));
  RETURN_IF_ERROR(ReadDiffIds(top, &config.diff_ids));
  RETURN_IF_ERROR(ReadHistory(top, &config.history));
  return config;
}

Platform PlatformOfChild(const json::value& child) {
  const json::object* object = nullptr;
  Platform platform;
  if (!child.is_object() || !ReadObject(child.get_object(), "platform", &object).ok() ||
      object == nullptr || !ReadPlatform(*object, &platform).ok()) {
    return Platform();
  }
  return platform;
}

}  // namespace

absl::StatusOr<ParsedImageConfig> ParseImageConfig(std::string_view bytes) {
  DocumentMemory memory;
  ASSIGN_OR_RETURN(const json::value document, ParseConfig(bytes, &memory));
  return ReadConfig(document.get_object());
}

absl::StatusOr<ConfigLayers> ParseConfigLayers(std::string_view bytes) {
  DocumentMemory memory;
  ASSIGN_OR_RETURN(const json::value document, ParseConfig(bytes, &memory));
  ConfigLayers layers;
  RETURN_IF_ERROR(ReadPlatform(document.get_object(), &layers.platform));
  std::vector<std::string> diff_ids;
  RETURN_IF_ERROR(ReadDiffIds(document.get_object(), &diff_ids));
  for (const std::string& text : diff_ids) {
    const absl::StatusOr<Digest> digest = Digest::Parse(text);
    if (!digest.ok()) return Malformed("diff_ids", "has a bad digest");
    layers.diff_ids.push_back(*digest);
  }
  return layers;
}

absl::StatusOr<std::vector<Platform>> ParseChildPlatforms(std::string_view index_bytes) {
  DocumentMemory memory;
  ASSIGN_OR_RETURN(const json::value document, ParseDocument(index_bytes, &memory));
  if (!document.is_object()) return Malformed("the index", "must be a JSON object");
  const json::value* const children = Member(document.get_object(), "manifests");
  if (children == nullptr || !children->is_array()) {
    return Malformed("manifests", "must be an array");
  }
  std::vector<Platform> platforms;
  for (const json::value& child : children->get_array()) {
    platforms.push_back(PlatformOfChild(child));
  }
  return platforms;
}

}  // namespace varve
