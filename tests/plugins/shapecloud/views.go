package main

import (
	"context"
	"reflect"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"
)

// part is a view of a shape.
func (p *provider) part(urn string, i int, outputs map[string]any) *pulumirpc.ViewStepState {
	p.mu.Lock()
	defer p.mu.Unlock()
	in, _ := structpb.NewStruct(map[string]any{"index": float64(i)})
	out, _ := structpb.NewStruct(map[string]any{"index": float64(i), "value": outputs["value"]})
	return &pulumirpc.ViewStepState{Type: p.pkg + ":index:Part", Name: partName(urn, i), Inputs: in, Outputs: out}
}

func was(view *pulumirpc.View) *pulumirpc.ViewStepState {
	return &pulumirpc.ViewStepState{Type: view.GetType(), Name: view.GetName(),
		Inputs: view.GetInputs(), Outputs: view.GetOutputs()}
}

func names(views []*pulumirpc.View) []string {
	var all []string
	for _, view := range views {
		all = append(all, view.GetName())
	}
	return all
}

func (p *provider) created(urn string, outputs map[string]any) []*pulumirpc.ViewStep {
	var steps []*pulumirpc.ViewStep
	for i := range count(outputs) {
		steps = append(steps, &pulumirpc.ViewStep{Op: pulumirpc.ViewStep_CREATE, Type: p.part(urn, i, outputs).GetType(),
			Name: partName(urn, i), New: p.part(urn, i, outputs)})
	}
	return steps
}

// updated says what becomes of each part: it stays, changes, comes or goes.
func (p *provider) updated(urn string, views []*pulumirpc.View, outputs map[string]any) []*pulumirpc.ViewStep {
	known := map[string]*pulumirpc.View{}
	for _, view := range views {
		known[view.GetName()] = view
	}
	var steps []*pulumirpc.ViewStep
	for i := range count(outputs) {
		part := p.part(urn, i, outputs)
		step := &pulumirpc.ViewStep{Op: pulumirpc.ViewStep_CREATE, Type: part.GetType(), Name: part.GetName(), New: part}
		if old, ok := known[part.GetName()]; ok {
			step.Op, step.Old = pulumirpc.ViewStep_UPDATE, was(old)
			if reflect.DeepEqual(old.GetOutputs().AsMap(), part.GetOutputs().AsMap()) {
				step.Op = pulumirpc.ViewStep_SAME
			}
			delete(known, part.GetName())
		}
		steps = append(steps, step)
	}
	for _, view := range views {
		if _, left := known[view.GetName()]; left {
			steps = append(steps, deleted([]*pulumirpc.View{view})...)
		}
	}
	return steps
}

// refreshed tells what each part is now.
func (p *provider) refreshed(urn string, views []*pulumirpc.View, outputs map[string]any) []*pulumirpc.ViewStep {
	var steps []*pulumirpc.ViewStep
	for _, step := range p.updated(urn, views, outputs) {
		if step.GetOp() == pulumirpc.ViewStep_SAME {
			step.Op = pulumirpc.ViewStep_REFRESH
		}
		steps = append(steps, step)
	}
	return steps
}

func deleted(views []*pulumirpc.View) []*pulumirpc.ViewStep {
	var steps []*pulumirpc.ViewStep
	for _, view := range views {
		steps = append(steps, &pulumirpc.ViewStep{Op: pulumirpc.ViewStep_DELETE, Type: view.GetType(),
			Name: view.GetName(), Old: was(view)})
	}
	return steps
}

// publish tells the engine of views. Without any there is nothing to tell.
func publish(address, token string, steps []*pulumirpc.ViewStep) error {
	if len(steps) == 0 || address == "" {
		return nil
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = pulumirpc.NewResourceStatusClient(conn).PublishViewSteps(context.Background(),
		&pulumirpc.PublishViewStepsRequest{Token: token, Steps: steps})
	return err
}
