// Recorded runs of a real Docker engine (20.10.24), docker_scenarios.jsonl, one a line: reads them,
// and plays each in a store of its own. Of tests; one thread.
//
// What Docker calls an image is a manifest here, whose digest is its id, and its tags are tags of
// the repository that lists it; a container is a hold. A layer's blob has the size that Docker
// gives the layer.
#ifndef VARVE_TESTS_STORAGE_RECLAIM_DOCKER_SCENARIO_H_
#define VARVE_TESTS_STORAGE_RECLAIM_DOCKER_SCENARIO_H_

#include <boost/json.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "storage/api/pruning.h"
#include "storage/engine.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace varve {

std::string Text(const boost::json::value& value);
std::vector<std::string> Lines(const std::string& text);

std::vector<boost::json::object> LoadScenarios();
// Whether how it ends depends on an image's id not being its digest: a command that names an image
// by its digest. Then `containerd_store_observed` is the measure, what an engine with the
// containerd image store (24.0.9) did, where the two are the same.
bool DependsOnTheId(const boost::json::object& scenario);

// The ids in the first column of the tables below one heading of docker_scenarios.md.
std::set<std::string> ListedIds(const std::string& heading);

// Expects docker_scenarios.md to say how many scenarios were compared, and how many were equal: the
// row of its table that begins with `what`.
void ExpectCounts(const std::string& what, size_t compared, size_t equal);

// What a scenario came to: success, the tags removed, the images and layers gone, the tags left.
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
void PrintTo(const Outcome& outcome, std::ostream* out);

// What was told while it happened.
struct Told {
  // "untag <image:A>", "delete <image:A>", "tag <image:A>", "prune ".
  std::vector<std::string> events;
  std::vector<PruneStep> steps;  // of a prune
  std::optional<PruneReport> report;
  std::vector<RemovedImage> removed;  // of rmi, one for each name that worked
  std::vector<std::string> errors;    // one for each that did not
};

class ScenarioStore {
 public:
  ScenarioStore();

  void SetUp(const boost::json::array& operations);
  Outcome Act(const boost::json::object& scenario);
  const Told& told() const { return told_; }

  std::set<std::string> images() const;
  // "{ID:A}", "{SHORT:A}", "{REG}" and the like in their place.
  std::string Filled(std::string text) const;
  // As the recording writes names: "<short:A>:latest", "<image:A>".
  std::string Recorded(std::string text) const;
  // "<image:A>" of the manifest's digest, or of any name that ends with "@" and that.
  std::string ImageNamed(const std::string& name) const;
  // Bytes of config and manifest of an image, which Docker does not count.
  uint64_t DocumentBytes(const std::string& image) const;
  // The size of a layer's blob that Docker counts as nothing, else 0.
  static uint64_t UncountedBytes(const std::string& layer);

 private:
  struct Image {
    Digest manifest;
    std::vector<std::string> layers;
    uint64_t document_bytes = 0;
  };

  Digest Push(const std::string& repository, const std::string& bytes);
  void PrepareImage(const boost::json::object& operation);
  void Prepare(const boost::json::object& operation);
  absl::Status Tag(const std::string& source, const std::string& target);
  void Prune(const PruneRequest& request, Outcome* outcome);
  void Remove(const std::string& name, bool force, Outcome* outcome);
  void NoteEvents(const std::string& since);
  // What is left when no promise holds any more.
  void Look(Outcome* outcome);

  MemoryFileSystem disk_;
  FakeClock clock_;
  std::unique_ptr<Engine> store_;
  std::map<std::string, Image> images_;
  std::map<std::string, Digest> pushed_;
  Told told_;
};

// What Docker did; with `expected` of the scenario or of one of its stores. Of its containerd store
// no layers are recorded.
Outcome RecordedOutcome(const ScenarioStore& store, const boost::json::object& scenario,
                        const boost::json::object& expected);
// By what measures the scenario, and what was printed then.
const boost::json::object& MeasureOf(const boost::json::object& scenario);
std::string RecordedOutput(const boost::json::object& scenario);

}  // namespace varve

#endif  // VARVE_TESTS_STORAGE_RECLAIM_DOCKER_SCENARIO_H_
