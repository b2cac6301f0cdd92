// Recorded runs of a real Docker engine (20.10.24) against this store: docker_scenarios.jsonl, one
// scenario a line. deploy/PRUNE.md lists, by id, those that have no counterpart here and those that
// end otherwise on purpose; all the others must end as Docker's did, and a difference that is
// listed must be one.
//
// What is compared: success, the tags removed, the images and layers that are gone, the tags left.
// Sizes are not: Docker counts unpacked files, this store blobs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/names.h"
#include "storage/catalog/time_text.h"
#include "storage/digest/hasher.h"
#include "storage/engine.h"
#include "storage/index/memory_index.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

namespace json = boost::json;
using testing::IsEmpty;

constexpr int64_t kPromise = 600 * kNanosPerSecond;
constexpr int64_t kDay = 24 * 3600 * kNanosPerSecond;
// The scenarios were recorded in August 2026.
constexpr int64_t kRecorded = 1'786'000'000 * kNanosPerSecond;

std::string Text(const json::value& value) { return std::string(value.as_string().c_str()); }

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The ids in the first column of the tables below one heading of the page for users.
std::set<std::string> ListedIds(const std::string& heading) {
  std::set<std::string> ids;
  bool inside = false;
  for (const std::string& line : Lines(ReadFile(VARVE_PRUNE_PAGE))) {
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

// What a scenario came to.
struct Outcome {
  bool ok = true;
  bool compares_layers = true;
  std::set<std::string> untagged;
  std::set<std::string> deleted_images;
  std::set<std::string> deleted_layers;
  std::map<std::string, std::set<std::string>> kept;

  friend bool operator==(const Outcome& a, const Outcome& b) {
    return a.ok == b.ok && a.untagged == b.untagged && a.deleted_images == b.deleted_images &&
           a.deleted_layers == b.deleted_layers && a.kept == b.kept;
  }
};

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

// One store, in which one scenario happens.
class ScenarioStore {
 public:
  ScenarioStore() {
    EngineOptions options;
    options.file_system = &disk_;
    options.clock = &clock_;
    options.promise_nanos = kPromise;
    options.open_index = [](const std::string&) { return NewMemoryIndex(); };
    auto opened = OpenEngine("/store", options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  void SetUp(const json::array& operations) {
    for (const json::value& operation : operations) Prepare(operation.as_object());
    clock_.Advance(2 * kPromise);
  }

  Outcome Act(const json::object& scenario) {
    const json::object& action = scenario.at("action").as_object();
    const std::string command = Text(action.at("cmd"));
    Outcome outcome;
    if (command == "prune") {
      const json::array& filters = scenario.at("filters").as_array();
      PruneRequest request;
      request.all = action.at("all").as_bool();
      for (const json::value& filter : filters) request.filters.push_back(Text(filter));
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
      const bool force = action.contains("force") && action.at("force").as_bool();
      for (const json::value& name : action.at("args").as_array()) {
        Remove(Filled(Text(name)), force, &outcome);
      }
    } else if (command == "tag") {
      const json::array& names = action.at("args").as_array();
      outcome.ok = Tag(Filled(Text(names[0])), Filled(Text(names[1]))).ok();
    } else {
      ADD_FAILURE() << "there is no counterpart of " << command;
    }
    Look(&outcome);
    return outcome;
  }

  std::set<std::string> images() const {
    std::set<std::string> ids;
    for (const auto& [id, image] : images_) ids.insert(id);
    return ids;
  }

  // "{ID:A}", "{SHORT:A}", "{REG}" and the like in their place.
  std::string Filled(std::string text) const {
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
        const std::string id = images_.at(name).config.ToString();
        const std::string hex = id.substr(id.find(':') + 1);
        value = kind == "ID" ? id : kind == "HEX" ? hex : hex.substr(0, kind == "PFX1" ? 1 : 12);
      }
      text = match.prefix().str() + value + match.suffix().str();
    }
    return text;
  }

  // As the recording writes names: "<short:A>:latest".
  std::string Recorded(std::string name) const {
    for (const auto& [image, content] : images_) {
      const std::string hex = Filled(StrCat("{SHORT:", image, "}"));
      if (const size_t at = name.find(hex); at != std::string::npos) {
        name.replace(at, hex.size(), StrCat("<short:", image, ">"));
      }
    }
    return name;
  }

 private:
  struct Image {
    Digest config;
    Digest manifest;
    std::vector<std::string> layers;
  };

  Digest Push(const std::string& repository, const std::string& bytes) {
    const Digest digest = HashBytes(DigestAlgorithm::kSha256, bytes);
    const auto ingest = store_->BeginIngest(repository, {});
    EXPECT_TRUE(ingest.ok() && (*ingest)->Append(0, bytes).ok());
    EXPECT_TRUE(ingest.ok() && (*ingest)->Commit(digest, bytes.size()).ok());
    return digest;
  }

  static std::string LayerBytes(const std::string& layer) {
    return StrCat("layer ", layer, std::string(1000, 'x'));
  }

  std::string ConfigJson(const std::string& id, const json::object& image) const {
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

  void PrepareImage(const json::object& operation) {
    const std::string id = Text(operation.at("id"));
    Image image;
    std::vector<std::string> tags;
    for (const json::value& tag : operation.at("tags").as_array()) {
      tags.push_back(Filled(Text(tag)));
    }
    const std::string first = tags.empty() ? "untagged:" : tags[0];
    const std::string repository = first.substr(0, first.rfind(':'));
    image.config = Push(repository, ConfigJson(id, operation));
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
                                     {"digest", image.config.ToString()},
                                     {"size", 1}}},
                                   {"layers", layers}};
    const std::string bytes = json::serialize(manifest);
    PutManifestRequest request;
    request.bytes = bytes;
    if (!tags.empty()) request.tags = {first.substr(first.rfind(':') + 1)};
    const auto put = store_->PutManifest(repository, request);
    ASSERT_TRUE(put.ok()) << put.status();
    image.manifest = put->digest;
    images_[id] = image;
    for (size_t i = 1; i < tags.size(); ++i) ASSERT_TRUE(Tag(first, tags[i]).ok());
  }

  void Prepare(const json::object& operation) {
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
      ASSERT_TRUE(name.ok() && store_->Untag(name->repository, name->tag).ok());
    } else if (kind == "container") {
      const auto found = store_->FindImage(Filled(Text(operation.at("image"))));
      ASSERT_TRUE(found.ok()) << found.status();
      const std::string place = found->by_id ? "" : found->places[0].repository;
      const auto hold = store_->CreateHold({Text(operation.at("id")), place, found->manifest, 0});
      ASSERT_TRUE(hold.ok()) << hold.status();
    } else if (kind == "rmcontainer") {
      ASSERT_TRUE(store_->ReleaseHold(Text(operation.at("id"))).ok());
    } else if (kind == "registry_push") {
      // It is in its registry already; its digest is remembered.
      const std::string name = Text(operation.at("ref"));
      const auto found = store_->FindImage(Filled(name));
      ASSERT_TRUE(found.ok()) << found.status();
      pushed_[Filled(name)] = found->manifest;
    } else if (kind == "pull") {
      const auto name = ParseImageReference(Filled(Text(operation.at("ref"))));
      ASSERT_TRUE(name.ok()) << name.status();
      if (name->digest.has_value()) return;  // it never left
      const Digest& manifest = pushed_.at(StrCat(name->repository, ":", name->tag));
      ASSERT_TRUE(store_->Tag(name->repository, name->tag, manifest).ok());
    } else {
      ADD_FAILURE() << "there is no counterpart of " << kind;
    }
  }

  absl::Status Tag(const std::string& source, const std::string& target) {
    ASSIGN_OR_RETURN(const ImageReference name, ParseImageReference(target));
    ASSIGN_OR_RETURN(const ImageMatch found, store_->FindImage(source));
    return store_->TagFrom(found.places[0].repository, found.manifest, name.repository, name.tag);
  }

  void Prune(const PruneRequest& request, Outcome* outcome) {
    const auto report = store_->Prune(request, [&](const PruneStep& step) {
      for (const std::string& name : step.untagged) outcome->untagged.insert(Recorded(name));
      return true;
    });
    outcome->ok = report.ok();
  }

  void Remove(const std::string& name, bool force, Outcome* outcome) {
    const auto removed = store_->RemoveImage(name, force);
    if (!removed.ok()) {
      outcome->ok = outcome->ok && force && absl::IsNotFound(removed.status());
      return;
    }
    for (const std::string& tag : removed->untagged) outcome->untagged.insert(Recorded(tag));
  }

  // What is left when no promise holds any more.
  void Look(Outcome* outcome) {
    clock_.Advance(2 * kDay);
    EXPECT_TRUE(store_->Reclaim().ok());
    std::set<std::string> layers;
    for (const auto& [id, image] : images_) {
      layers.insert(image.layers.begin(), image.layers.end());
      const auto found = store_->FindImage(image.manifest.ToString());
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
      if (!store_->OpenBlob("", digest).ok()) outcome->deleted_layers.insert(layer);
    }
  }

  MemoryFileSystem disk_;
  FakeClock clock_{kRecorded};
  std::unique_ptr<Store> store_;
  std::map<std::string, Image> images_;
  std::map<std::string, Digest> pushed_;
};

// Names with a digest are Docker's own record of a pull.
void AddTags(const ScenarioStore& store, const json::value& names, std::set<std::string>* tags) {
  for (const json::value& name : names.as_array()) {
    const std::string text = Text(name);
    if (text.find('@') == std::string::npos) tags->insert(store.Filled(text));
  }
}

Outcome RecordedOutcome(const ScenarioStore& store, const json::object& scenario) {
  const json::object& expected = scenario.at("expected").as_object();
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

TEST(DockerScenariosTest, EndAsDockersDidButForWhatIsListed) {
  const std::set<std::string> without_counterpart = ListedIds("Scenarios without a counterpart");
  const std::set<std::string> different = ListedIds("Scenarios that end otherwise");
  std::set<std::string> unseen = without_counterpart;
  unseen.insert(different.begin(), different.end());
  int equal = 0;
  for (const std::string& line : Lines(ReadFile(VARVE_DOCKER_SCENARIOS))) {
    const json::value parsed = json::parse(line);
    const json::object& scenario = parsed.as_object();
    const std::string id = Text(scenario.at("id"));
    SCOPED_TRACE(id);
    unseen.erase(id);
    if (without_counterpart.contains(id)) continue;
    ScenarioStore store;
    store.SetUp(scenario.at("setup").as_array());
    const Outcome expected = RecordedOutcome(store, scenario);
    const Outcome outcome = store.Act(scenario);
    if (different.contains(id)) {
      EXPECT_FALSE(outcome == expected) << "this is no difference any more";
      continue;
    }
    EXPECT_EQ(outcome, expected);
    ++equal;
  }
  EXPECT_THAT(unseen, IsEmpty()) << "listed, but no scenario";
  RecordProperty("equal", equal);
  RecordProperty("different", static_cast<int>(different.size()));
  RecordProperty("without_counterpart", static_cast<int>(without_counterpart.size()));
}

}  // namespace
}  // namespace varve
