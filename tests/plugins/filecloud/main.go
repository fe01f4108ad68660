// Command pulumi-resource-filecloud is a small provider made with the public
// provider framework, to test engines against what that framework does. Its
// cloud is the directory FILECLOUD_DIR.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Version is set by the linker: -ldflags "-X main.Version=0.2.0".
var Version = "0.1.0"

func main() {
	provider, err := infer.NewProviderBuilder().
		WithDisplayName("filecloud").
		WithNamespace("purlin").
		WithResources(infer.Resource(File{})).
		WithComponents(infer.ComponentF(NewPair)).
		Build()
	if err == nil {
		err = p.RunProvider(context.Background(), "filecloud", Version, provider)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "filecloud:", err)
		os.Exit(1)
	}
}

// File is a file in the cloud: `filecloud:index:File`.
type File struct{}

type FileArgs struct {
	Path    string            `pulumi:"path" provider:"replaceOnChanges"`
	Content string            `pulumi:"content"`
	Secret  *string           `pulumi:"secret,optional" provider:"secret"`
	Labels  map[string]string `pulumi:"labels,optional"`
}

type FileState struct {
	FileArgs
	Bytes int `pulumi:"bytes"`
}

func locate(path string) (string, error) {
	dir := os.Getenv("FILECLOUD_DIR")
	if dir == "" {
		return "", errors.New("FILECLOUD_DIR is not set")
	}
	if !filepath.IsLocal(path) {
		return "", fmt.Errorf("%q leads out of the cloud", path)
	}
	return filepath.Join(dir, path), nil
}

func put(args FileArgs) (FileState, error) {
	path, err := locate(args.Path)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, []byte(args.Content), 0o644)
	}
	return FileState{FileArgs: args, Bytes: len(args.Content)}, err
}

func (File) Create(
	_ context.Context, req infer.CreateRequest[FileArgs],
) (infer.CreateResponse[FileState], error) {
	if req.DryRun {
		return infer.CreateResponse[FileState]{Output: FileState{FileArgs: req.Inputs}}, nil
	}
	state, err := put(req.Inputs)
	return infer.CreateResponse[FileState]{ID: req.Inputs.Path, Output: state}, err
}

func (File) Update(
	_ context.Context, req infer.UpdateRequest[FileArgs, FileState],
) (infer.UpdateResponse[FileState], error) {
	if req.DryRun {
		return infer.UpdateResponse[FileState]{Output: FileState{FileArgs: req.Inputs}}, nil
	}
	state, err := put(req.Inputs)
	return infer.UpdateResponse[FileState]{Output: state}, err
}

func (File) Read(
	_ context.Context, req infer.ReadRequest[FileArgs, FileState],
) (infer.ReadResponse[FileArgs, FileState], error) {
	var resp infer.ReadResponse[FileArgs, FileState]
	path, err := locate(req.ID)
	if err != nil {
		return resp, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return resp, nil
	}
	if err != nil {
		return resp, err
	}
	resp.ID, resp.Inputs = req.ID, req.Inputs
	resp.Inputs.Path, resp.Inputs.Content = req.ID, string(data)
	resp.State = FileState{FileArgs: resp.Inputs, Bytes: len(data)}
	return resp, nil
}

func (File) Delete(_ context.Context, req infer.DeleteRequest[FileState]) (infer.DeleteResponse, error) {
	path, err := locate(req.ID)
	if err == nil {
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return infer.DeleteResponse{}, err
}

// PairArgs are the inputs of `filecloud:index:Pair`.
type PairArgs struct {
	Folder  pulumi.StringInput `pulumi:"folder"`
	Content pulumi.StringInput `pulumi:"content"`
}

// Pair is a component of two files.
type Pair struct {
	pulumi.ResourceState

	Left  pulumi.StringOutput `pulumi:"left"`
	Right pulumi.StringOutput `pulumi:"right"`
}

type fileResource struct {
	pulumi.CustomResourceState

	Path pulumi.StringOutput `pulumi:"path"`
}

func NewPair(ctx *pulumi.Context, name string, args PairArgs, opts ...pulumi.ResourceOption) (*Pair, error) {
	pair := &Pair{}
	if err := ctx.RegisterComponentResource(p.GetTypeToken(ctx), name, pair, opts...); err != nil {
		return nil, err
	}
	sides := []struct {
		name string
		path *pulumi.StringOutput
	}{{"left", &pair.Left}, {"right", &pair.Right}}
	for _, side := range sides {
		file := &fileResource{}
		err := ctx.RegisterResource("filecloud:index:File", name+"-"+side.name, pulumi.Map{
			"path":    pulumi.Sprintf("%s/%s", args.Folder, side.name),
			"content": args.Content,
		}, file, pulumi.Parent(pair))
		if err != nil {
			return nil, err
		}
		*side.path = file.Path
	}
	return pair, nil
}
