#include "tests/storage/reclaim/docker_scenario.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/event_log.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/image/names.h"
#include "storage/index/memory_index.h"

namespace varve {
namespace {

namespace json = boost::json;

constexpr int64_t kPromise = 600 * kNanosPerSecond;
constexpr int64_t kDay = 24 * 3600 * kNanosPerSecond;
// The scenarios were recorded in August 2026.
constexpr int64_t kRecorded = 1'786'000'000 * kNanosPerSecond;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// As Docker counts it: "L1" is 1,000 bytes, "L1:500" is 500.
size_t LayerSize(const std::string& layer) {
  if (layer == "EMPTY") return 0;
  if (layer == "BIN") return 8736;
  const size_t colon = layer.find(':');
  return colon == std::string::npos ? 1000 : std::stoul(layer.substr(colon + 1));
}

std::string LayerBytes(const std::string& layer) {
  std::string bytes = StrCat("layer ", layer, " ");
  if (LayerSize(layer) > bytes.size()) bytes.resize(LayerSize(layer), 'x');
  return bytes;
}

std::string ConfigJson(const std::string& id, const json::object& image) {
  json::object config = {{"architecture", "amd64"}, {"os", "linux"}, {"comment", id}};
  std::string created = "2020-01-01T00:00:00Z";
  if (image.contains("created")) created = Text(image.at("created"));
  if (created[0] == '+') created = "2026-12-31T00:00:00Z";
  if (created != "absent") config["created"] = created;
  if (!image.contains("no_config")) {
    config["config"] = json::object();
    if (image.contains("labels")) {
      config["config"].as_object()["Labels"] = image.at("labels");
    }
  }
  return json::serialize(config);
}

// Names with a digest are Docker's own record of a pull.
void AddTags(const ScenarioStore& store, const json::value& names, std::set<std::string>* tags) {
  for (const json::value& name : names.as_array()) {
    const std::string text = Text(name);
    if (text.find('@') == std::string::npos) tags->insert(store.Filled(text));
  }
}

}  // namespace

std::string Text(const json::value& value) { return std::string(value.as_string().c_str()); }

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<json::object> LoadScenarios() {
  std::vector<json::object> scenarios;
  for (const std::string& line : Lines(ReadFile(VARVE_DOCKER_SCENARIOS))) {
    scenarios.push_back(json::parse(line).as_object());
  }
  return scenarios;
}

std::set<std::string> ListedIds(const std::string& heading) {
  std::set<std::string> ids;
  bool inside = false;
  for (const std::string& line : Lines(ReadFile(VARVE_DIFFERENCES))) {
    if (line.rfind("## ", 0) == 0) inside = line == StrCat("## ", heading);
    if (!inside || line.rfind("| `", 0) != 0) continue;
    const std::string column = line.substr(0, line.find(" |", 2));
    static const std::regex id("`([A-Za-z0-9-]+)`");
    for (std::sregex_iterator it(column.begin(), column.end(), id), end; it != end; ++it) {
      EXPECT_TRUE(ids.insert((*it)[1]).second) << (*it)[1] << " is listed twice";
    }
  }
  return ids;
}

void ExpectCounts(const std::string& what, size_t compared, size_t equal) {
  for (const std::string& line : Lines(ReadFile(VARVE_DIFFERENCES))) {
    const std::string start = StrCat("| ", what, " | ");
    if (line.rfind(start, 0) != 0) continue;
    EXPECT_EQ(line.substr(start.size()), StrCat(compared, " | ", equal, " |")) << what;
    return;
  }
  ADD_FAILURE() << "docker_scenarios.md does not count: " << what;
}

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << (outcome.ok ? "done" : "refused");
  for (const auto& name : outcome.untagged) *out << " untagged:" << name;
  for (const auto& name : outcome.deleted_images) *out << " deleted:" << name;
  for (const auto& name : outcome.deleted_layers) *out << " layer:" << name;
  for (const auto& [image, tags] : outcome.kept) {
    *out << " kept:" << image << "[";
    for (const std::string& tag : tags) *out << tag << ",";
    *out << "]";
  }
}

ScenarioStore::ScenarioStore() : clock_(kRecorded) {
  EngineOptions options;
  options.file_system = &disk_;
  options.clock = &clock_;
  options.promise_nanos = kPromise;
  options.open_index = [](const std::string&) { return NewMemoryIndex(); };
  auto opened = OpenEngine("/store", options);
  EXPECT_TRUE(opened.ok()) << opened.status();
  store_ = *std::move(opened);
}

void ScenarioStore::SetUp(const json::array& operations) {
  for (const json::value& operation : operations) Prepare(operation.as_object());
  clock_.Advance(2 * kPromise);
}

Outcome ScenarioStore::Act(const json::object& scenario) {
  const json::object& action = scenario.at("action").as_object();
  const std::string command = Text(action.at("cmd"));
  const std::string before = store_->system.events().Latest();
  Outcome outcome;
  if (command == "prune") {
    PruneRequest request;
    request.all = action.at("all").as_bool();
    for (const json::value& filter : scenario.at("filters").as_array()) {
      request.filters.push_back(Text(filter));
    }
    Prune(request, &outcome);
  } else if (command == "api") {
    outcome.compares_layers = false;
    PruneRequest request;
    if (const auto* filters = scenario.at("filters").if_object()) {
      for (const auto& [key, values] : *filters) {
        for (const json::value& value : values.as_array()) {
          request.filters.push_back(StrCat(std::string(key), "=", Text(value)));
        }
      }
    }
    Prune(request, &outcome);
  } else if (command == "rmi") {
    outcome.compares_layers = !DependsOnTheId(scenario);
    const bool force = action.contains("force") && action.at("force").as_bool();
    for (const json::value& name : action.at("args").as_array()) {
      Remove(Filled(Text(name)), force, &outcome);
    }
  } else if (command == "tag") {
    const json::array& names = action.at("args").as_array();
    const absl::Status tagged = Tag(Filled(Text(names[0])), Filled(Text(names[1])));
    outcome.ok = tagged.ok();
    if (!tagged.ok()) told_.errors.emplace_back(ToStd(tagged.message()));
  } else {
    ADD_FAILURE() << "there is no counterpart of " << command;
  }
  NoteEvents(before);
  Look(&outcome);
  return outcome;
}

void ScenarioStore::NoteEvents(const std::string& since) {
  const auto events = store_->system.events().After(since, 1000);
  ASSERT_TRUE(events.ok()) << events.status();
  for (const Event& event : *events) {
    if (event.type == Event::Type::kPush) continue;  // Docker has none
    const bool of_image = event.type != Event::Type::kPrune;
    told_.events.push_back(StrCat(EventTypeName(event.type), " ",
                                  of_image ? ImageNamed(event.digest.ToString()) : ""));
  }
}

std::set<std::string> ScenarioStore::images() const {
  std::set<std::string> ids;
  for (const auto& [id, image] : images_) ids.insert(id);
  return ids;
}

std::string ScenarioStore::Filled(std::string text) const {
  static const std::regex registry("\\{REG\\}");
  text = std::regex_replace(text, registry, "registry");
  static const std::regex field("\\{([A-Z0-9]+):([^{}]+)\\}");
  for (std::smatch match; std::regex_search(text, match, field);) {
    const std::string kind = match[1];
    const std::string name = match[2];
    std::string value;
    if (kind == "DIGEST") {
      value = pushed_.at(name).ToString();
    } else {
      const std::string id = images_.at(name).manifest.ToString();
      const std::string hex = id.substr(id.find(':') + 1);
      value = kind == "ID" ? id : kind == "HEX" ? hex : hex.substr(0, kind == "PFX1" ? 1 : 12);
    }
    text = match.prefix().str() + value + match.suffix().str();
  }
  return text;
}

std::string ScenarioStore::Recorded(std::string text) const {
  const auto replace = [&text](const std::string& from, const std::string& to) {
    for (size_t at; (at = text.find(from)) != std::string::npos;) text.replace(at, from.size(), to);
  };
  for (const auto& [image, content] : images_) {
    replace(content.manifest.ToString(), StrCat("<image:", image, ">"));
    replace(Filled(StrCat("{SHORT:", image, "}")), StrCat("<short:", image, ">"));
  }
  return text;
}

std::string ScenarioStore::ImageNamed(const std::string& name) const {
  const std::string digest = name.substr(name.find('@') + 1);
  for (const auto& [id, image] : images_) {
    if (image.manifest.ToString() == digest) return StrCat("<image:", id, ">");
  }
  return name;
}

uint64_t ScenarioStore::DocumentBytes(const std::string& image) const {
  return images_.at(image).document_bytes;
}

uint64_t ScenarioStore::UncountedBytes(const std::string& layer) {
  return LayerSize(layer) == 0 ? LayerBytes(layer).size() : 0;
}

Digest ScenarioStore::Push(const std::string& repository, const std::string& bytes) {
  const Digest digest = HashBytes(DigestAlgorithm::kSha256, bytes);
  const auto upload = store_->blobs.BeginUpload(repository, {});
  EXPECT_TRUE(upload.ok() && (*upload)->Append(0, bytes).ok());
  EXPECT_TRUE(upload.ok() && (*upload)->Commit(digest, bytes.size()).ok());
  return digest;
}

void ScenarioStore::PrepareImage(const json::object& operation) {
  const std::string id = Text(operation.at("id"));
  Image image;
  std::vector<std::string> tags;
  for (const json::value& tag : operation.at("tags").as_array()) {
    tags.push_back(Filled(Text(tag)));
  }
  const std::string first = tags.empty() ? "untagged:" : tags[0];
  const std::string repository = first.substr(0, first.rfind(':'));
  const std::string config = ConfigJson(id, operation);
  const Digest config_digest = Push(repository, config);
  json::array layers;
  for (const json::value& name : operation.at("layers").as_array()) {
    image.layers.push_back(Text(name));
    const std::string bytes = LayerBytes(image.layers.back());
    layers.push_back({{"mediaType", "application/vnd.oci.image.layer.v1.tar"},
                      {"digest", Push(repository, bytes).ToString()},
                      {"size", bytes.size()}});
  }
  const json::object manifest = {{"schemaVersion", 2},
                                 {"mediaType", "application/vnd.oci.image.manifest.v1+json"},
                                 {"config",
                                  {{"mediaType", "application/vnd.oci.image.config.v1+json"},
                                   {"digest", config_digest.ToString()},
                                   {"size", config.size()}}},
                                 {"layers", layers}};
  const std::string bytes = json::serialize(manifest);
  PutManifestRequest request;
  request.bytes = bytes;
  if (!tags.empty()) request.tags = {first.substr(first.rfind(':') + 1)};
  const auto put = store_->manifests.PutManifest(repository, request);
  ASSERT_TRUE(put.ok()) << put.status();
  image.manifest = put->digest;
  image.document_bytes = config.size() + bytes.size();
  images_[id] = image;
  for (size_t i = 1; i < tags.size(); ++i) ASSERT_TRUE(Tag(first, tags[i]).ok());
}

void ScenarioStore::Prepare(const json::object& operation) {
  const std::string kind = Text(operation.at("op"));
  if (kind == "image") return PrepareImage(operation);
  if (kind == "images") {
    for (const json::value& image : operation.at("list").as_array()) {
      PrepareImage(image.as_object());
    }
  } else if (kind == "tag") {
    const auto done = Tag(Filled(Text(operation.at("src"))), Filled(Text(operation.at("dst"))));
    ASSERT_TRUE(done.ok()) << done;
  } else if (kind == "untag") {
    const auto name = ParseImageReference(Filled(Text(operation.at("ref"))));
    ASSERT_TRUE(name.ok() && store_->manifests.Untag(name->repository, name->tag, true).ok());
  } else if (kind == "container") {
    const auto found = store_->images.FindImage(Filled(Text(operation.at("image"))));
    ASSERT_TRUE(found.ok()) << found.status();
    const std::string place = found->by_id ? "" : found->places[0].repository;
    const auto hold =
        store_->claims.CreateHold({Text(operation.at("id")), place, found->manifest, 0});
    ASSERT_TRUE(hold.ok()) << hold.status();
  } else if (kind == "rmcontainer") {
    ASSERT_TRUE(store_->claims.ReleaseHold(Text(operation.at("id"))).ok());
  } else if (kind == "registry_push") {
    // It is in its registry already; its digest is remembered.
    const std::string name = Text(operation.at("ref"));
    const auto found = store_->images.FindImage(Filled(name));
    ASSERT_TRUE(found.ok()) << found.status();
    pushed_[Filled(name)] = found->manifest;
  } else if (kind == "pull") {
    const auto name = ParseImageReference(Filled(Text(operation.at("ref"))));
    ASSERT_TRUE(name.ok()) << name.status();
    if (name->digest.has_value()) return;  // it never left
    const Digest& manifest = pushed_.at(StrCat(name->repository, ":", name->tag));
    ASSERT_TRUE(store_->manifests.Tag(name->repository, name->tag, manifest).ok());
  } else {
    ADD_FAILURE() << "there is no counterpart of " << kind;
  }
}

absl::Status ScenarioStore::Tag(const std::string& source, const std::string& target) {
  ASSIGN_OR_RETURN(const ImageReference name, ParseImageReference(target));
  ASSIGN_OR_RETURN(const ImageMatch found, store_->images.FindImage(source));
  return store_->images.TagFrom(found.places[0].repository, found.manifest, name.repository,
                                name.tag);
}

void ScenarioStore::Prune(const PruneRequest& request, Outcome* outcome) {
  const auto report = store_->images.Prune(request, [&](const PruneStep& step) {
    for (const std::string& name : step.untagged) outcome->untagged.insert(Recorded(name));
    told_.steps.push_back(step);
    return true;
  });
  outcome->ok = report.ok();
  if (report.ok()) {
    told_.report = *report;
  } else {
    told_.errors.emplace_back(ToStd(report.status().message()));
  }
}

void ScenarioStore::Remove(const std::string& name, bool force, Outcome* outcome) {
  const auto removed = store_->images.RemoveImage(name, force);
  if (!removed.ok()) {
    outcome->ok = outcome->ok && force && absl::IsNotFound(removed.status());
    told_.errors.emplace_back(ToStd(removed.status().message()));
    return;
  }
  told_.removed.push_back(*removed);
  for (const std::string& tag : removed->untagged) outcome->untagged.insert(Recorded(tag));
}

void ScenarioStore::Look(Outcome* outcome) {
  clock_.Advance(2 * kDay);
  EXPECT_TRUE(store_->system.Reclaim().ok());
  std::set<std::string> layers;
  for (const auto& [id, image] : images_) {
    layers.insert(image.layers.begin(), image.layers.end());
    const auto found = store_->images.FindImage(image.manifest.ToString());
    if (!found.ok()) {
      outcome->deleted_images.insert(id);
      continue;
    }
    std::set<std::string>& tags = outcome->kept[id];
    for (const ImageMatch::Place& place : found->places) {
      for (const std::string& tag : place.tags) {
        tags.insert(Recorded(StrCat(place.repository, ":", tag)));
      }
    }
  }
  for (const std::string& layer : layers) {
    if (!outcome->compares_layers) break;
    const Digest digest = HashBytes(DigestAlgorithm::kSha256, LayerBytes(layer));
    if (!store_->blobs.OpenBlob("", digest).ok()) outcome->deleted_layers.insert(layer);
  }
}

bool DependsOnTheId(const json::object& scenario) {
  const json::object& action = scenario.at("action").as_object();
  if (Text(action.at("cmd")) == "steps" || !action.contains("args")) return false;
  const json::array& names = action.at("args").as_array();
  return std::any_of(names.begin(), names.end(), [](const json::value& name) {
    return Text(name).find('@') != std::string::npos;
  });
}

const json::object& MeasureOf(const json::object& scenario) {
  const json::object& recorded =
      DependsOnTheId(scenario) ? scenario.at("containerd_store_observed").as_object() : scenario;
  return recorded.at("expected").as_object();
}

std::string RecordedOutput(const json::object& scenario) {
  return Text(DependsOnTheId(scenario)
                  ? scenario.at("containerd_store_observed").as_object().at("output")
                  : scenario.at("output"));
}

Outcome RecordedOutcome(const ScenarioStore& store, const json::object& scenario,
                        const json::object& expected) {
  Outcome outcome;
  outcome.ok = expected.at("exit").as_int64() == 0;
  AddTags(store, expected.at("untagged"), &outcome.untagged);
  for (const auto& [image, tags] : expected.at("kept").as_object()) {
    AddTags(store, tags, &outcome.kept[std::string(image)]);
  }
  // Of raw calls of the engine only what was left is recorded.
  const bool only_kept = Text(scenario.at("action").as_object().at("cmd")) == "api";
  for (const std::string& image : store.images()) {
    if (only_kept && !outcome.kept.contains(image)) outcome.deleted_images.insert(image);
  }
  if (only_kept) return outcome;
  for (const json::value& image : expected.at("deleted_images").as_array()) {
    outcome.deleted_images.insert(Text(image));
  }
  for (const json::value& chain : expected.at("deleted_layers").as_array()) {
    const std::string layers = Text(chain);
    outcome.deleted_layers.insert(layers.substr(layers.rfind('/') + 1));
  }
  return outcome;
}

}  // namespace varve
