// Command pack writes the layers of a plan as blobs of an OCI layout, the way image builders do.
//
//	pack --form docker|podman|plain --blobs DIR <plan.json >layers.json
//
// The plan says for every layer which entries it has and where the bytes of each file lie. The
// answer has one line of JSON for each layer, in the order of the plan.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
)

func main() {
	form := flag.String("form", "docker", "docker, podman or plain")
	blobs := flag.String("blobs", "", "folder of the blobs, named by their SHA-256")
	flag.Parse()
	if err := run(*form, *blobs); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(form, blobs string) error {
	compress, ok := forms[form]
	if !ok {
		return fmt.Errorf("this build has no form %q", form)
	}
	var plan struct {
		Layers []layer `json:"layers"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&plan); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return err
	}
	packed, err := packAll(plan.Layers, compress, blobs)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	for _, one := range packed {
		if err := out.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

func packAll(layers []layer, compress compressor, blobs string) ([]packedLayer, error) {
	packed := make([]packedLayer, len(layers))
	errs := make([]error, len(layers))
	next := make(chan int)
	var workers sync.WaitGroup
	var progress sync.Mutex
	done := 0
	for range runtime.GOMAXPROCS(0) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := range next {
				packed[i], errs[i] = layers[i].pack(compress, blobs)
				progress.Lock()
				done++
				fmt.Fprintf(os.Stderr, "  layer %d of %d: %.1f MB as %.1f MB\n", done, len(layers),
					float64(packed[i].RawBytes)/1e6, float64(packed[i].SizeBytes)/1e6)
				progress.Unlock()
			}
		}()
	}
	for i := range layers {
		next <- i
	}
	close(next)
	workers.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
	}
	return packed, nil
}
